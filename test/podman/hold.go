// SPDX-License-Identifier: BSD-2-Clause

package podman

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const holdEnv = "KATRACE_TEST_HOLD"

// HoldComm is the name of the holders' process, whose path in the image is HoldPath.
const (
	HoldComm = "hold"
	HoldPath = "/hold"
)

// HoldIfAsked makes the test binary a container's program, if it is started as such:
// it holds a connection to itself. TestMain calls it first.
func HoldIfAsked() {
	how := os.Getenv(holdEnv)
	if how == "" {
		return
	}
	if err := hold(how == "silent"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	time.Sleep(time.Hour)
	os.Exit(0)
}

// hold says the port of the end that has keepalive on, a probe a second. Its peer
// answers each, or ignores all.
func hold(silent bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	peer, err := l.Accept()
	if err != nil {
		return err
	}
	err = peer.(*net.TCPConn).SetKeepAlive(false)
	if silent {
		err = errors.Join(err, ignoreAll(peer.(*net.TCPConn)))
	}
	err = errors.Join(err, c.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 9}))
	fmt.Println("port", c.LocalAddr().(*net.TCPAddr).Port)
	return err
}

// ignoreAll makes the connection drop all that comes.
func ignoreAll(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	f := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // ret #0
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &f})
	})
	return errors.Join(err, failed)
}

// StartHolder starts a container that holds a connection, whose peer is silent if
// that is asked for, and returns the connection's port.
func (e *Engine) StartHolder(t *testing.T, name string, silent bool, flags ...string) (*Container, uint16) {
	t.Helper()
	how := "answered"
	if silent {
		how = "silent"
		flags = append(flags, "--privileged") // some kernels want it for a filter on a socket
	}
	c := e.Start(t, name, append(flags, "--env", holdEnv+"="+how), HoldPath)
	var port uint16
	Await(t, name+" to have a connection", func() bool {
		said, _ := c.Logs(t)
		if _, err := fmt.Sscanf(said, "port %d\n", &port); err != nil && said != "" {
			t.Fatalf("%s: %s", name, said)
		}
		return port != 0
	})
	return c, port
}

// Await waits until it is so. What it waits for comes within seconds, or on a busy
// machine later.
func Await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
