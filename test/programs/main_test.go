// SPDX-License-Identifier: BSD-2-Clause

// Package programs holds katrace list against the configuration of programs
// that people run: what it says of their sockets has to be what they were told,
// or what their documentation says they do unasked.
//
//	make test-programs
//
// It needs root and the programs, from Debian's packages. They run in a network
// namespace of their own and end with the test.
package programs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"katrace/test/childtest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	program  = flag.String("katrace", "", "the program to test")
	packages = flag.String("packages", "", "a directory with Debian packages, unpacked: what is not installed")
)

// insideEnv is set where the test runs in its own network namespace.
const insideEnv = "KATRACE_TEST_PROGRAMS_INSIDE"

func TestMain(m *testing.M) {
	if os.Getenv(asContained) != "" {
		contained()
		return
	}
	flag.Parse()
	if *program == "" || os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "name the program to test, and be root: make test-programs")
		os.Exit(2)
	}
	if os.Getenv(insideEnv) != "" {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bring lo up:", err)
			os.Exit(2)
		}
		os.Exit(m.Run())
	}
	path, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	self := exec.Command(path, os.Args[1:]...)
	self.Env = append(os.Environ(), insideEnv+"=1")
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = self.Run()
	if self.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "make a network namespace:", err)
		os.Exit(2)
	}
	os.Exit(self.ProcessState.ExitCode())
}

// await waits until it is so. What it waits for comes within seconds, or on a
// busy machine later.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	childtest.WaitFor(t, time.Minute, what, so)
}

// process is a program that runs until the test ends.
type process struct {
	cmd  *exec.Cmd
	in   io.Writer         // its standard input
	said *childtest.Buffer // its standard output and error
	name string
}

// start starts a program whose standard input stays open. account is whom it
// runs as, "" for root.
func start(t *testing.T, account string, args ...string) *process {
	t.Helper()
	return startOn(t, nil, nil, account, args...)
}

// startOn starts it on a host. What it says goes to log, or else to process.said.
func startOn(t *testing.T, h *host, log io.Writer, account string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(args[0], args[1:]...), said: &childtest.Buffer{}, name: args[0]}
	p.cmd.Stdout = p.said
	if log != nil {
		p.cmd.Stdout = log
	}
	p.cmd.Stderr = p.cmd.Stdout
	p.cmd.WaitDelay = time.Second // a server's children may outlive it, and keep the pipe open
	p.cmd.Dir = "/"
	p.cmd.Env = append(os.Environ(), "HOME=/nonexistent")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if account != "" {
		uid, gid := accountIDs(t, account)
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	if err := h.do(p.cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The group: what it started ends with it.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT) // it may be stopped
		_ = in.Close()
		done := make(chan struct{})
		go func() { _ = p.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
			<-done
		}
	})
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ask writes a line to the program, and returns the next whole line that it says.
func (p *process) ask(t *testing.T, line string) string {
	t.Helper()
	before := strings.Count(p.said.String(), "\n")
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatal(err)
	}
	return p.line(t, before)
}

// line is the n-th line that it says, from 0 on.
func (p *process) line(t *testing.T, n int) string {
	t.Helper()
	var lines []string
	await(t, "a line of "+p.name, func() bool {
		lines = strings.Split(p.said.String(), "\n")
		return len(lines) > n+1
	})
	return lines[n]
}

// run runs a program to its end.
func run(t *testing.T, account string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = "/"
	if account != "" {
		uid, gid := accountIDs(t, account)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func accountIDs(t *testing.T, account string) (uid, gid uint32) {
	t.Helper()
	u, err := user.Lookup(account)
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	return number(u.Uid), number(u.Gid)
}

// folder is a directory that the account may write to.
func folder(t *testing.T, account string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "katrace-programs-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	uid, gid := accountIDs(t, account)
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
