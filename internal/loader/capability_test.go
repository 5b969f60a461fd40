// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCapSetString(t *testing.T) {
	for _, tt := range []struct {
		caps []int
		want string
	}{
		{nil, ""},
		{[]int{unix.CAP_BPF}, "CAP_BPF"},
		{[]int{unix.CAP_SYSLOG, unix.CAP_BPF}, "CAP_BPF and CAP_SYSLOG"},
		{[]int{unix.CAP_SYS_ADMIN, unix.CAP_PERFMON, unix.CAP_BPF}, "CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN"},
	} {
		if got := capsOf(tt.caps...).String(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.caps, got, tt.want)
		}
	}
}

// TestThreadCapsData: what is read of a thread is what would be set again.
func TestThreadCapsData(t *testing.T) {
	c := threadCaps{effective: 1<<39 | 1<<2, permitted: 1<<39 | 1<<38 | 1<<2, inheritable: 1 << 31}
	d := c.data()
	want := [2]unix.CapUserData{{Effective: 1 << 2, Permitted: 1 << 2, Inheritable: 1 << 31}, {Effective: 1 << 7, Permitted: 1<<7 | 1<<6}}
	if d != want {
		t.Errorf("%+v is %+v, want %+v", c, d, want)
	}
}

// TestAdvice: a capability that the thread has is not what it lacks.
func TestAdvice(t *testing.T) {
	own, err := readCapabilities()
	if err != nil {
		t.Fatal(err)
	}
	with, without := "refused even with CAP_SYS_PTRACE", "this process lacks CAP_SYS_PTRACE; try sudo"
	want := without
	if own.effective.has(unix.CAP_SYS_PTRACE) {
		want = with
	}
	if got := Advice(unix.CAP_SYS_PTRACE); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// A thread that gives it up, and ends with its goroutine.
	got := make(chan string)
	go func() {
		runtime.LockOSThread()
		c := own
		c.effective &^= capsOf(unix.CAP_SYS_PTRACE)
		if err := setCapabilities(c); err != nil {
			got <- err.Error()
			return
		}
		got <- Advice(unix.CAP_SYS_PTRACE)
	}()
	if got := <-got; got != without {
		t.Errorf("without it: %q, want %q", got, without)
	}
}

// TestUnsupportedOrOut: what is refused is the kernel's or the privileges' lack;
// what runs out is not.
func TestUnsupportedOrOut(t *testing.T) {
	for _, tt := range []struct {
		err  error
		is   bool
		want string
	}{
		{unix.ENOENT, true, "attach x: no such file or directory"},
		{io.EOF, true, "attach x: EOF"},
		{unix.EMFILE, false, "attach x: too many open files"},
		{unix.ENOMEM, false, "attach x: cannot allocate memory"},
		{unix.EPERM, true, "attach x: operation not permitted ("},
		{unix.EACCES, true, "attach x: operation not permitted ("},
	} {
		err := unsupported("attach x", tt.err, "")
		if errors.Is(err, ErrUnsupported) != tt.is || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%v: %v, unsupported: %t", tt.err, err, !tt.is)
		}
	}
}
