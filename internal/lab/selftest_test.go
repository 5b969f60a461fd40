// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSelfTest: all that it means to have run has run.
func TestSelfTest(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	ran, own := SelfTest(context.Background())
	if !own || len(ran) == 0 {
		t.Errorf("in a namespace of its own: %t, %d ran", own, len(ran))
	}
	for name, err := range ran {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSelfTestHere: without privileges over the network all but ICMP errors can
// be had in the namespace that there is.
func TestSelfTestHere(t *testing.T) {
	ns, err := newNamespace()
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = ns.close() }()
	here := &namespace{}
	n := &network{near: here, far: here, farAddr: loopback4, ifname: "lo"}
	for _, test := range selfTests {
		// The thread is in a namespace that nobody else is in, so that nothing of
		// this machine matters, and ends with its goroutine, whatever it has lost.
		got := make(chan error)
		go func() {
			runtime.LockOSThread()
			got <- errors.Join(
				unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET),
				dropThread(),
				test.run(context.Background(), n),
			)
		}()
		err := <-got
		if test.names[0] == "tcp_send_active_reset" && errors.Is(err, unix.EPERM) && !mayFilter(t) {
			continue // a filter is the only way to silence a peer without privileges
		}
		if icmp := test.names[0] == "tcp_v4_err" || test.names[0] == "tcp_v6_err"; icmp != errors.Is(err, errNotHere) || !icmp && err != nil {
			t.Errorf("%v: %v", test.names, err)
		}
	}
}

// mayFilter says whether this kernel lets a thread without privileges attach a
// filter to a TCP socket. A 6.18 kernel did not.
func mayFilter(t *testing.T) bool {
	t.Helper()
	got := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			pass := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
			err = errors.Join(dropThread(), unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
				&unix.SockFprog{Len: 1, Filter: &pass[0]}), unix.Close(fd))
		}
		got <- err
	}()
	err := <-got
	if err != nil {
		t.Logf("a TCP socket's filter without privileges: %v", err)
	}
	return err == nil
}

// dropThread gives up all capabilities of the calling thread.
func dropThread() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// TestSelfTestInterrupted: it ends soon, and takes nothing for run.
func TestSelfTestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran, _ := SelfTest(ctx)
	for name, err := range ran {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", name, err, context.Canceled)
		}
	}
}

// TestUnreachableMessages: the ICMP errors are such as this package reads.
func TestUnreachableMessages(t *testing.T) {
	m := unreachable4(loopback4)
	if checksum(m) != 0 {
		t.Errorf("checksum over a message with its checksum: %#x, want 0", checksum(m))
	}
	p, ok := parseICMP(ipPacket{proto: unix.IPPROTO_ICMP, rest: m, size: len(m)})
	if !ok || p.icmpType != 3 || p.icmpCode != 1 || p.src.String() != "127.0.0.1:9" || p.dst.String() != "127.0.0.1:9" {
		t.Errorf("%+v, %t", p, ok)
	}
	m = unreachable6(loopback6)
	p, ok = parseICMP(ipPacket{proto: unix.IPPROTO_ICMPV6, rest: m, size: len(m)})
	if !ok || p.icmpType != 1 || p.icmpCode != 0 || p.src.String() != "[::1]:9" || p.dst.String() != "[::1]:9" {
		t.Errorf("%+v, %t", p, ok)
	}
}
