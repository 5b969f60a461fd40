// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/test/childtest"
)

// asSettable makes the test binary the holder of two connections in a network
// namespace of its own, whose timers were armed before their settings changed:
// one has all settings from the sysctls, the other an idle time of its own.
const asSettable = "KATRACE_TEST_SETTABLE"

func mainSettable() {
	idle := func(seconds string) error {
		return os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", []byte(seconds), 0)
	}
	var conns []*net.TCPConn
	var l net.Listener
	var peers []net.Conn
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
		listener := net.ListenConfig{KeepAlive: -1}
		if l, err = listener.Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		dialer := net.Dialer{KeepAlive: -1}
		for range 2 {
			c, err := dialer.Dial("tcp", l.Addr().String())
			if err != nil {
				return err
			}
			peer, err := l.Accept()
			if err != nil {
				return err
			}
			conns, peers = append(conns, c.(*net.TCPConn)), append(peers, peer)
		}
		if err := setTimes(conns[1], 30); err != nil {
			return err
		}
		// What SO_KEEPALIVE arms then is due later than 30 s of silence.
		time.Sleep(2600 * time.Millisecond)
		for _, c := range conns {
			if err := c.SetKeepAlive(true); err != nil {
				return err
			}
		}
		if err := idle("60"); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
			return err
		}
		fmt.Println(st.Ino, conns[0].LocalAddr(), conns[1].LocalAddr())
		return nil
	}()
	if err != nil {
		fmt.Println(0, err)
	}
	defer runtime.KeepAlive(peers)
	// Each line is a time for the sysctl; the answer is what the sockets then have.
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		err := idle(in.Text())
		for _, c := range conns {
			raw, _ := c.SyscallConn() // it is open
			_ = raw.Control(func(fd uintptr) {
				on, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
				idle, _ := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
				fmt.Print(on, " ", idle, " ")
			})
		}
		fmt.Println(err)
	}
}

// setTimes sets idle time and interval, and leaves SO_KEEPALIVE off.
func setTimes(c *net.TCPConn, seconds int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds))
	}), err)
}

// settable starts that holder.
func settable(t *testing.T) (child *childtest.Child, pid string, local [2]string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asSettable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	child = childtest.Start(t, cmd)
	words := strings.Fields(child.Line(t))
	if words[0] == "0" {
		t.Skip(words) // not every sandbox lets a namespace's sysctls be written
	}
	return child, fmt.Sprint(cmd.Process.Pid), [2]string{words[1], words[2]}
}

func portIn(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }

// katraceSet runs katrace set, and returns its JSON lines by local address.
func katraceSet(t *testing.T, status int, args ...string) map[string]map[string]any {
	t.Helper()
	cmd := asKatrace(append([]string{"set", "-o", "json"}, args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, _ := cmd.Output() // the status is looked at
	if cmd.ProcessState.ExitCode() != status {
		t.Fatalf("set %q: exit status %d, want %d\n%s%s", args, cmd.ProcessState.ExitCode(), status, out, errs.String())
	}
	lines := map[string]map[string]any{}
	for line := range strings.Lines(string(out)) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		a := v["local"].(map[string]any)
		lines[fmt.Sprint(a["addr"], ":", a["port"])] = v
	}
	return lines
}

// has is what the holder's own getsockopt says once the sysctl is at idle.
func has(t *testing.T, child *childtest.Child, idle string) string {
	t.Helper()
	if _, err := fmt.Fprintln(child.In, idle); err != nil {
		t.Fatal(err)
	}
	return child.Line(t)
}

// TestSetElsewhere: the sockets of a process in another network namespace are
// changed and put back, as the process itself reads them.
func TestSetElsewhere(t *testing.T) {
	child, pid, local := settable(t)
	undo := filepath.Join(t.TempDir(), "undo.json")
	args := []string{"--pid", pid, "--local-port", portIn(local[0]) + "," + portIn(local[1]), "--idle", "90", "--on"}
	for _, l := range local {
		if got := katraceSet(t, 0, args...)[l]; got["result"] != "would_change" {
			t.Errorf("%s: %v", l, got)
		}
	}
	if got, want := has(t, child, "60"), "1 60 1 30 <nil>"; got != want {
		t.Fatalf("after a dry run: %s, want %s", got, want)
	}
	if got := katraceSet(t, 0, append(args, "--apply", "--undo-file", undo)...); len(got) != 2 {
		t.Fatalf("%d sockets, want 2: %v", len(got), got)
	}
	if got, want := has(t, child, "60"), "1 90 1 90 <nil>"; got != want {
		t.Fatalf("after --apply: %s, want %s", got, want)
	}
	katraceSet(t, 1, append(args, "--apply", "--undo-file", undo)...) // is there already
	katraceSet(t, 0, "--undo", undo, "--apply")
	if got, want := has(t, child, "60"), "1 60 1 30 <nil>"; got != want {
		t.Fatalf("after --undo: %s, want %s", got, want)
	}
	if got, want := has(t, child, "61"), "1 60 1 30 <nil>"; got != want {
		t.Fatalf("after --undo and another sysctl: %s, want %s: setsockopt has found a way back to the sysctl", got, want)
	}
}

// TestSetFullOutput: where the table cannot be written, what was done is said all the same.
func TestSetFullOutput(t *testing.T) {
	_, pid, _ := settable(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	cmd := asKatrace("set", "--pid", pid, "--idle", "90", "--apply")
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = full, &errs
	_ = cmd.Run() // the status is looked at
	if said := errs.String(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "katrace: 4 of 4 sockets changed\n") || !strings.Contains(said, "no space left on device") {
		t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), said)
	}
}

// TestSetRearm: a timer that runs longer than the settings in force is armed
// anew: exactly where the idle time is the socket's own, else for all of it; and
// what came from the sysctl still does.
func TestSetRearm(t *testing.T) {
	child, pid, local := settable(t)
	most := map[string]float64{local[0]: 60_000, local[1]: 27_400}
	for _, l := range katraceSet(t, 0, "--pid", pid, "--rearm") {
		if on := l["before"].(map[string]any)["on"]; on == true && l["result"] != "would_change" || on == false && l["result"] != "as_wanted" {
			t.Fatalf("a dry run: %v", l)
		}
	}
	for _, l := range local {
		// Still the timer of before: the dry run has armed none.
		got := katraceSet(t, 0, "--pid", pid, "--rearm", "--local-port", portIn(l), "--apply")[l]
		if got["result"] != "changed" || got["timer_before_ms"].(float64) <= got["timer_after_ms"].(float64) || got["timer_after_ms"].(float64) > most[l] {
			t.Errorf("%s: %v, want a timer of %v ms at most", l, got, most[l])
		}
	}
	// The other one may be refused by now: silent for longer than the slack, its new timer
	// runs too long as well.
	if got := katraceSet(t, 0, "--pid", pid, "--rearm", "--local-port", portIn(local[1]), "--apply")[local[1]]; got["result"] != "as_wanted" {
		t.Errorf("once more: %v", got)
	}
	if got, want := has(t, child, "61"), "1 61 1 30 <nil>"; got != want {
		t.Fatalf("afterwards, with another sysctl: %s, want %s", got, want)
	}
}

// TestSetRefused: a user who may not ask the holders is told so, with status 3,
// and changes nothing.
func TestSetRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	out, errs, status := unprivileged(t, "set", "--local-port", port, "--addr", "127.0.0.1", "--listening", "--on", "--apply")
	if status != exitUnsupported || !strings.Contains(out, "NOT changed: no process that may be seen holds it (this process lacks CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; try sudo)") || !strings.Contains(errs, "0 of 1 socket changed, 1 NOT changed") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestSetSeccomp: where a seccomp filter refuses a system call, the filter is named.
func TestSetSeccomp(t *testing.T) {
	_, pid, _ := settable(t)
	for call, number := range map[string]int{"pidfd_getfd(2)": unix.SYS_PIDFD_GETFD, "pidfd_open(2)": unix.SYS_PIDFD_OPEN} {
		for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
			cmd := asKatrace("set", "--pid", pid, "--on")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", underFilter, number, int(errno)))
			out, _ := cmd.CombinedOutput() // the status is looked at
			if said := string(out); cmd.ProcessState.ExitCode() != exitUnsupported || !strings.Contains(said, "a seccomp filter") ||
				!strings.Contains(said, call) || strings.Contains(said, "sudo") {
				t.Errorf("%s, %v: exit status %d\n%s", call, errno, cmd.ProcessState.ExitCode(), said)
			}
		}
	}
}

// TestListNamesTheCommand: the command that list --idle-limit names lists the
// same sockets, and sets what puts them in time.
func TestListNamesTheCommand(t *testing.T) {
	_, pid, local := settable(t)
	limit := []string{"--idle-limit", "aws-nlb", "--pid", pid, "--comm", `"it's,a b"`, "--comm", "exe", "-4"}
	cmd := asKatrace(append([]string{"list"}, limit...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), local[0]) {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	_, line, found := strings.Cut(errs.String(), "katrace: to have them probe in time: katrace ")
	line, _, _ = strings.Cut(line, " (a dry run; --apply does it)\n")
	if !found {
		t.Fatalf("no command: %s", errs.String())
	}
	shell := exec.Command("sh", "-c", "exec /proc/self/fd/3 "+line+" --apply")
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = self.Close() }()
	shell.ExtraFiles, shell.Env = []*os.File{self}, append(os.Environ(), asMain+"=1")
	out, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(out), local[0]) || !strings.Contains(string(out), "333s/75s/9") {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	again := asKatrace(append([]string{"list"}, limit...)...)
	if out, err := again.Output(); err != nil || strings.Contains(string(out), local[0]) {
		t.Errorf("afterwards: %v\n%s", err, out)
	}
}
