// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// settings are keepalive's, in seconds, and TCP_USER_TIMEOUT in milliseconds.
type settings struct{ idle, intvl, cnt, userTimeout int }

// An actor is a process under another name that holds sockets.
type actor struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startActor starts a process of that name in a host's network and a cgroup.
func startActor(name, cgroup string, h *host) (*actor, error) {
	dir := filepath.Join("/sys/fs/cgroup", cgroup)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	group, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer group.Close()
	cmd := exec.Command("/proc/self/exe", "-act", name)
	cmd.Args[0] = name
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{h.netns}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", name, cgroup, err)
	}
	return &actor{cmd, in, bufio.NewReader(out)}, nil
}

// tell gives an order, and waits for the answer.
func (a *actor) tell(want, format string, values ...any) error {
	if _, err := fmt.Fprintf(a.in, format+"\n", values...); err != nil {
		return err
	}
	return a.await(want)
}

func (a *actor) await(want string) error {
	if got, err := a.out.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
		return fmt.Errorf("%s said %q, not %q: %w", a.cmd.Args[0], got, want, err)
	}
	return nil
}

// end lets the process exit, and with it its connections.
func (a *actor) end() {
	_ = a.in.Close()
	_ = a.cmd.Wait()
}

// act is that process: it takes orders from stdin until that is closed.
func act(name string) error {
	if err := unix.Setns(3, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
		return err
	}
	var sockets []int
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		var local, remote string
		var s settings
		var err error
		verb, rest, _ := strings.Cut(orders.Text(), " ")
		if verb == "listen" || verb == "dial" {
			if _, err := fmt.Sscan(rest, &local, &remote, &s.idle, &s.intvl, &s.cnt, &s.userTimeout); err != nil {
				return fmt.Errorf("%q: %w", orders.Text(), err)
			}
		}
		socket := -1
		switch verb {
		case "listen":
			socket, err = accept(netip.MustParseAddrPort(local), func() { fmt.Println("listening") })
		case "dial":
			socket, err = dial(netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))
		case "write":
			_, err = unix.Write(sockets[len(sockets)-1], []byte("?"))
		case "fill":
			for _, full := range sockets {
				if err == nil {
					err = fill(full)
				}
			}
		}
		if err == nil && socket >= 0 {
			sockets = append(sockets, socket)
			err = s.apply(socket)
		}
		if err != nil {
			return fmt.Errorf("%s: %q: %w", name, orders.Text(), err)
		}
		fmt.Println("done")
	}
	return nil
}

// apply switches keepalive on last, so that the timer is set by these.
func (s settings) apply(socket int) error {
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, s.idle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, s.intvl},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, s.cnt},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, s.userTimeout},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if o.value == 0 { // the sysctl's
			continue
		}
		if err := unix.SetsockoptInt(socket, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}
