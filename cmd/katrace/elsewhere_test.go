// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/inventory"
	"katrace/test/childtest"
)

// asElsewhere makes the test binary the holder of a connection in a network
// namespace of its own, in which net.ipv4.tcp_keepalive_time is lowered while
// the connection's timer runs.
const asElsewhere = "KATRACE_TEST_ELSEWHERE"

func mainElsewhere() {
	idle := func(seconds string) error {
		return os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", []byte(seconds), 0)
	}
	err := func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		if err := idle("7200"); err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		// Other programs may have the same port at 127.0.0.1 where katrace runs.
		dialer := net.Dialer{KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 93, 71, 46)}}
		c, err := dialer.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		if err := c.(*net.TCPConn).SetKeepAlive(true); err != nil {
			return err
		}
		if err := idle("60"); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
			return err
		}
		fmt.Println(st.Ino, c.LocalAddr())
		_, _ = io.Copy(io.Discard, os.Stdin)
		return nil
	}()
	if err != nil {
		fmt.Println(0, err)
	}
}

// TestElsewhere: an owner's sockets are found in whichever network namespace
// they are, a socket where --netns says; and a timer that was armed before the
// namespace's sysctl was lowered is told.
func TestElsewhere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asElsewhere+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	line := childtest.Start(t, cmd).Line(t)
	netns, local, _ := strings.Cut(line, " ")
	if netns == "0" {
		t.Skip(local) // not every sandbox lets a namespace's sysctls be written
	}
	pid := fmt.Sprint(cmd.Process.Pid)
	comm, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		want   []string
	}{
		{"list --pid " + pid, 0, []string{local, "60s/", "1 timer armed before the change (NEXT with *)", "NETNS", netns}},
		{"list --by process --pid " + pid, 0, []string{"PROCESS", "1 timer armed before the change: later than KEEPALIVE says"}},
		{"list --idle-limit aws-nlb --pid " + pid, 0, []string{local}},
		{"list -o json --pid " + pid, 0, []string{`"netns":` + netns + ",", `"armed_before_change":true`}},
		{"list --comm " + strings.TrimSpace(string(comm)), 0, []string{local}},
		{"list --pid " + pid + " --netns /proc/self/ns/net", 0, []string{"not " + local}},
		{"list", 0, []string{"not " + local}},
		{"predict --socket " + local, 1, []string{"no TCP connection of this network namespace", "--netns looks elsewhere"}},
		{"predict --netns " + netns + " --idle-limit aws-nlb --socket " + local, 0, []string{
			local, "2h", "The timer was armed before the change", "too late. The timer was armed before the change: the next probe is due after 2h of silence."}},
		{"predict --netns /proc/" + pid + "/ns/net -o json --idle-limit aws-nlb --socket " + local, 0, []string{`"armed_before_change":true`, `"verdict":"too_late"`}},
	} {
		cmd := asKatrace(strings.Fields(tt.args)...)
		out, _ := cmd.CombinedOutput() // the status is looked at
		if cmd.ProcessState.ExitCode() != tt.status {
			t.Errorf("%s: exit status %d, want %d\n%s", tt.args, cmd.ProcessState.ExitCode(), tt.status, out)
		}
		for _, want := range tt.want {
			if text, not := strings.CutPrefix(want, "not "); strings.Contains(string(out), text) == not {
				t.Errorf("%s: %s\n%s", tt.args, want, out)
			}
		}
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+pid+"/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	for inum, want := range map[uint32]bool{uint32(st.Ino): true, 7: false} {
		if got, err := inventory.NetnsExists(inum); got != want || err != nil {
			t.Errorf("network namespace %d: %v, %v", inum, got, err)
		}
	}
}
