// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/childtest"
)

// enabler makes the test binary a process, in namespaces of its own, that has
// keepalive switched on in every way: by a thread of its own, and, once it is in
// the cgroups that the value names, by BPF programs.
const enabler = "KATRACE_TEST_ENABLER"

// Names of the process and of its thread.
const (
	enablerComm   = "enabler"
	enablerThread = "another-name"
)

func init() {
	cgroups, ok := os.LookupEnv(enabler)
	if !ok {
		return
	}
	runtime.LockOSThread() // the process's first thread: another goroutine is on another
	_, _ = os.Stdin.Read(make([]byte, 1))
	e, err := enable(strings.Split(cgroups, ":"))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(e)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// enabled are the local ports of the ends on which keepalive was switched on:
// by a thread's setsockopt, and by a BPF program when the connection was about
// to be made, was made, and came in. Subflow and SubflowPassive are those of MPTCP, where
// the kernel has it.
type enabled struct{ Thread, Connect, Active, Passive, Subflow, SubflowPassive uint16 }

// enable makes the connections: in the first cgroup a program switches keepalive
// on when one is established, in the second before its SYN is sent.
func enable(cgroups []string) (e enabled, err error) {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = errors.Join(netlink.LinkSetUp(lo), setComm(enablerComm))
	}
	if err != nil {
		return e, err
	}
	var plain *net.TCPConn
	if e.Thread, _, plain, err = connection(false); err != nil {
		return e, err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- errors.Join(setComm(enablerThread), plain.SetKeepAlive(true))
	}()
	if err := <-done; err != nil {
		return e, err
	}
	if err := joinCgroup(cgroups[0]); err != nil {
		return e, err
	}
	if e.Active, e.Passive, _, err = connection(false); err != nil {
		return e, err
	}
	if e.Subflow, e.SubflowPassive, _, err = connection(true); err != nil {
		return e, err
	}
	if err := joinCgroup(cgroups[1]); err != nil {
		return e, err
	}
	e.Connect, _, _, err = connection(false)
	return e, err
}

// connection makes one on loopback, keepalive off, and returns the ports of its ends.
func connection(mptcp bool) (active, passive uint16, c *net.TCPConn, err error) {
	lc, d := net.ListenConfig{KeepAlive: -1}, net.Dialer{KeepAlive: -1}
	lc.SetMultipathTCP(mptcp)
	d.SetMultipathTCP(mptcp)
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, nil, err
	}
	conn, err := d.Dial("tcp", l.Addr().String())
	if err == nil {
		_, err = l.Accept()
	}
	if err != nil {
		return 0, 0, nil, err
	}
	return uint16(conn.LocalAddr().(*net.TCPAddr).Port), uint16(l.Addr().(*net.TCPAddr).Port), conn.(*net.TCPConn), nil
}

// Of enum bpf_sock_ops' callbacks (include/uapi/linux/bpf.h).
const (
	tcpConnect         = 3 // BPF_SOCK_OPS_TCP_CONNECT_CB
	activeEstablished  = 4 // BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
	passiveEstablished = 5 // BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB
)

// startEnabler starts that process; it begins when a byte is written to it, and
// then writes the ports.
func startEnabler(t *testing.T) *childtest.Child {
	t.Helper()
	mount := cgroupMounts(t)["v2"]
	established := makeCgroup(t, mount, fmt.Sprintf("katrace-%d-established", os.Getpid()))
	connect := makeCgroup(t, mount, fmt.Sprintf("katrace-%d-connect", os.Getpid()))
	attachEnabler(t, established, activeEstablished, passiveEstablished)
	attachEnabler(t, connect, tcpConnect, tcpConnect)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), enabler+"="+established+":"+connect)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID}
	cmd.Stderr = os.Stderr
	return childtest.Start(t, cmd)
}

// attachEnabler has a BPF program switch keepalive on in the cgroup's sockets, in
// either of two callbacks.
func attachEnabler(t *testing.T, cgroup string, one, other int32) {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "enabler", Type: ebpf.SockOps, AttachType: ebpf.AttachCGroupSockOps, License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), // bpf_sock_ops.op
			asm.JEq.Imm(asm.R2, one, "on"),
			asm.JNE.Imm(asm.R2, other, "out"),
			asm.StoreImm(asm.RFP, -8, 1, asm.Word).WithSymbol("on"),
			asm.Mov.Imm(asm.R2, unix.SOL_SOCKET),
			asm.Mov.Imm(asm.R3, unix.SO_KEEPALIVE),
			asm.Mov.Reg(asm.R4, asm.RFP),
			asm.Add.Imm(asm.R4, -8),
			asm.Mov.Imm(asm.R5, 4),
			asm.FnSetsockopt.Call(),
			asm.Mov.Imm(asm.R0, 1).WithSymbol("out"),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	l, err := link.AttachCgroup(link.CgroupOptions{Path: cgroup, Attach: ebpf.AttachCGroupSockOps, Program: prog})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// check: `enabled` names the process that called setsockopt(2), as katrace's own
// /proc has it, and nobody where a BPF program did it: on the listening side in a
// softirq, which interrupts anybody; on the other one from the backlog of
// connect(2), or in it, by the process that holds the socket.
func (ports enabled) check(t *testing.T, r *run, pid int) {
	want := map[uint16]conn.Process{
		ports.Thread: {PID: pid, Comm: enablerComm}, ports.Connect: {}, ports.Active: {}, ports.Passive: {}, ports.Subflow: {}, ports.SubflowPassive: {},
	}
	got := map[uint16]conn.Process{}
	waitFor(t, time.Minute, fmt.Sprintf("%d events", len(want)), func() bool {
		for _, e := range r.seen() {
			if e.Kind == events.KindEnabled {
				got[e.Local.Port()] = e.Process
			}
		}
		return len(got) >= len(want)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who switched keepalive on, by port, of %+v (-want +got):\n%s", ports, diff)
	}
}
