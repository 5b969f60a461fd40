// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrivilegesSet: with what docs/privileges.md names somebody who is not root
// changes root's socket, by either way of finding its holder; with one missing
// nobody does.
func TestPrivilegesSet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	idle := func() (seconds int) {
		if err := raw.Control(func(fd uintptr) { seconds, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }); err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	_, _, status := katrace(t, "list", "--method", "bpf", "--limit", "1")
	noIterator, seconds := status != 0, 1000
	for _, tt := range []struct {
		method string
		caps   []int
		status int
	}{
		{"netlink", []int{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}, 0},
		{"netlink", []int{unix.CAP_SYS_PTRACE}, 3},
		{"netlink", []int{unix.CAP_DAC_READ_SEARCH}, 3},
		{"netlink", nil, 3},
		{"bpf", []int{unix.CAP_SYS_PTRACE, unix.CAP_BPF, unix.CAP_PERFMON}, 0},
		{"bpf", []int{unix.CAP_BPF, unix.CAP_PERFMON}, 3},
	} {
		if tt.method == "bpf" && noIterator {
			continue
		}
		if tt.method == "bpf" && !kernelAtLeast(t, 5, 11) {
			tt.caps = append(tt.caps, unix.CAP_SYS_RESOURCE)
		}
		seconds++
		before := idle()
		status, stderr := finish(t, nobodysProgram(t, nobody(tt.caps...), "set", "--method", tt.method, "--listening",
			"--addr", "127.0.0.1", "--local-port", fmt.Sprint(l.Addr().(*net.TCPAddr).Port), "--idle", fmt.Sprint(seconds), "--apply"))
		want := before
		if tt.status == 0 {
			want = seconds
		}
		if got := idle(); status != tt.status || got != want {
			t.Errorf("%s with %v: status %d, want %d; TCP_KEEPIDLE is %d, want %d\n%s", tt.method, names(tt.caps), status, tt.status, got, want, stderr)
		}
	}
}

// TestPrivilegesSetDropped: while it changes sockets no thread has more than it
// takes. Its output, which nobody reads at first, holds it up.
func TestPrivilegesSetDropped(t *testing.T) {
	kept := uint64(1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	for range 200 { // 400 bytes of output each, a pipe holds 64 KiB
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd := command("set", "--addr", "127.0.0.1", "--remote-port", port, "--idle", "1000", "--apply", "-o", "json")
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	// It writes once all is set.
	if err := unix.SetNonblock(int(out.Fd()), false); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, file := range threads {
		for key, want := range map[string]uint64{"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": kept, "CapAmb": 0, "NoNewPrivs": 1} {
			if got := statusField(t, file, key); got != want {
				t.Errorf("%s: %s is %#x, want %#x", file, key, got, want)
			}
		}
	}
	lines := 0
	for sc := bufio.NewScanner(r); sc.Scan(); {
		lines++
	}
	if err := cmd.Wait(); err != nil || lines != 200 {
		t.Errorf("%d lines, %v", lines, err)
	}
}
