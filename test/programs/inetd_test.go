// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInetd holds the servers that an inetd starts against what is known of them:
// keepalive on, with nothing set, unless they are told otherwise or know nothing of
// it; and changes their sockets while they run. (They leave after a minute without a
// login.)
//
// Their packages are only unpacked. Installed, they would let an inetd serve them.
func TestInetd(t *testing.T) {
	if *packages == "" {
		t.Skip("no directory with their packages is named")
	}
	telnetd := filepath.Join(*packages, "inetutils-telnetd/usr/sbin/telnetd")
	rlogind := filepath.Join(*packages, "rsh-server/usr/sbin/in.rlogind")
	redone := filepath.Join(*packages, "rsh-redone-server/usr/sbin/in.rlogind")
	for port, s := range map[uint16]struct {
		name string
		args []string
		want settings
	}{
		9201: {"telnetd (inetutils)", []string{telnetd}, inherits("telnetd")},
		9202: {"in.rlogind", []string{rlogind}, inherits("in.rlogind")},
		9203: {"in.rlogind -n", []string{rlogind, "-n"}, off("in.rlogind")},
		9204: {"in.rlogind (rsh-redone)", []string{redone}, off("in.rlogind")}, // it has no call of setsockopt
	} {
		t.Run(s.name, func(t *testing.T) {
			c := conn{s.name, os.Getpid(), port, off(ownComm(t)), s.want}
			inetd(t, port, s.args...)
			for _, method := range methods(t) {
				c.check(t, method)
			}
			katraceSet(t, "--local-port", fmt.Sprint(port), "--on", "--idle", "50", "--intvl", "20", "--cnt", "5", "--apply")
			c.server = sets(s.want.Comm, 50, 20, 5)
			c.check(t, methods(t)[0])
		})
	}
}

// inetd listens on the port, connects to it, and starts the program with the
// connection as its standard input and output.
func inetd(t *testing.T, port uint16, args ...string) {
	t.Helper()
	listener := net.ListenConfig{KeepAlive: -1}
	l, err := listener.Listen(t.Context(), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	// From a port below 1024, as rlogin has.
	dialer := net.Dialer{KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port - 9201 + 1001)}}
	c, err := dialer.DialContext(context.WithoutCancel(t.Context()), "tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	file, err := accepted.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = file.Close(), accepted.Close() }()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
