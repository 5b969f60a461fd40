// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"io"
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
