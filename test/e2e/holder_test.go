// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/test/childtest"
)

// What makes the test binary a process that holds sockets, and does nothing
// else: the name that it gives itself, "" for none, and the directory of a
// cgroup that it joins to make a connection there whose peer is silent, and that
// connection's address.
const (
	holderName    = "KATRACE_TEST_HOLDER"
	holderCgroup  = "KATRACE_TEST_HOLDER_CGROUP"
	holderAddress = "KATRACE_TEST_HOLDER_ADDRESS"
	holderLasts   = "KATRACE_TEST_HOLDER_LASTS" // the connection is not given up during the test
)

// holderNetwork is where this test's holders have their connections, and nothing
// else is: an address of 127.0.0.0/8 made from its process id, which has 22 bits.
func holderNetwork() string { return ownAddress(64) }

// ownAddress is an address of 127.0.0.0/8 that no other process's test has, from one
// of its quarters: 64, 128 or 192.
func ownAddress(quarter byte) string {
	pid := os.Getpid()
	return netip.AddrFrom4([4]byte{127, quarter + byte(pid>>16), byte(pid >> 8), byte(pid)}).String()
}

// On the process's first thread, whose name is the process's.
func init() {
	name, ok := os.LookupEnv(holderName)
	if !ok {
		return
	}
	port, err := 0, error(nil)
	if name != "" {
		probes := 2
		if os.Getenv(holderLasts) != "" {
			probes = 127 // MAX_TCP_KEEPCNT
		}
		port, err = silentConnection(name, os.Getenv(holderCgroup), probes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(port)
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// silentConnection makes a connection that is given up after so many probes, one a
// second, in the cgroup, if one is named, by a process with that name.
func silentConnection(name, cgroup string, probes int) (port int, err error) {
	if err := setComm(name); err != nil {
		return 0, err
	}
	if cgroup != "" {
		if err := joinCgroup(cgroup); err != nil {
			return 0, err
		}
	}
	l, err := net.Listen("tcp", os.Getenv(holderAddress)+":0")
	if err != nil {
		return 0, err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	peer, err := l.Accept()
	if err != nil {
		return 0, err
	}
	// The only keepalive here is that of the one end: the other would show too.
	err = errors.Join(peer.(*net.TCPConn).SetKeepAlive(false), ignoreAll(peer.(*net.TCPConn)),
		c.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: probes}))
	return c.LocalAddr().(*net.TCPAddr).Port, err
}

// setComm names the calling thread.
func setComm(name string) error {
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(b)), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_NAME: %w", err)
	}
	return nil
}

// joinCgroup moves this process there.
func joinCgroup(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
}

// ignoreAll makes the connection drop all that comes: a perfect vanished peer.
func ignoreAll(c *net.TCPConn) error {
	return control(c, func(fd int) error {
		f := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // ret #0
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &f})
	})
}

func control(c *net.TCPConn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(raw.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

// holder is such a process, not yet started.
func holder(name, cgroup string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), holderName+"="+name, holderCgroup+"="+cgroup, holderAddress+"="+holderNetwork())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	return cmd
}

// lasting makes its connection outlast the test.
func lasting(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, holderLasts+"=1")
	return cmd
}

// startHolder starts it, and ends it with the test. It returns the local port
// of its connection, if it makes one.
func startHolder(t *testing.T, cmd *exec.Cmd) (port uint16) {
	t.Helper()
	n, err := strconv.ParseUint(childtest.Start(t, cmd).Line(t), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}
