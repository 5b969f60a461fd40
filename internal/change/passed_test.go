// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"net/netip"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/test/childtest"
)

// asPasser makes the test binary a process that gives back each descriptor that it
// is sent.
const asPasser = "KATRACE_TEST_PASS"

func pass() {
	for {
		fd, err := receive(3)
		if err != nil || send(3, fd) != nil {
			return
		}
	}
}

// send sends a descriptor and closes it.
func send(by, fd int) error {
	err := unix.Sendmsg(by, []byte{0}, unix.UnixRights(fd), nil, 0)
	_ = unix.Close(fd)
	return err
}

func receive(by int) (fd int, err error) {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(by, make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return -1, os.ErrInvalid
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// TestPassedOn: two processes pass connections to each other by the thousand, and a
// fork shares them now and then. Those to one port are changed while that goes on,
// and none to another port ever is.
func TestPassedOn(t *testing.T) {
	const each = 4
	var fds []int
	var wanted []uint16 // their local ports
	for i := range 2 * each {
		p := connect(t)
		fds = append(fds, p.ours)
		p.ours = -1 // its number changes all the time
		if i%2 == 0 {
			wanted = append(wanted, p.port)
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), asPasser+"=1"), []*os.File{theirs}
	childtest.Start(t, cmd)
	must(t, theirs.Close())
	defer func() { _ = unix.Close(pair[0]) }()

	var stop atomic.Bool
	var passed atomic.Int64
	done := make(chan struct{})
	var forked, wrong int
	go func() {
		defer close(done)
		for ; !stop.Load(); passed.Add(1) {
			i := int(passed.Load()) % len(fds)
			if send(pair[0], fds[i]) != nil {
				return
			}
			var err error
			if fds[i], err = receive(pair[0]); err != nil {
				return
			}
			if on, err := unix.GetsockoptInt(fds[i], unix.SOL_SOCKET, unix.SO_KEEPALIVE); i%2 == 1 && (err != nil || on != 0) {
				wrong++
			}
			if passed.Load()%64 == 0 {
				time.Sleep(time.Millisecond) // others need the processors, too
			}
			if passed.Load()%1000 == 0 {
				dup, err := unix.FcntlInt(uintptr(fds[i]), unix.F_DUPFD_CLOEXEC, 0)
				if err != nil {
					return
				}
				shared := os.NewFile(uintptr(dup), "shared")
				child := exec.Command("/proc/self/exe") // which ends at once: its standard input is empty
				child.Env, child.ExtraFiles = append(os.Environ(), asHolder+"=1"), []*os.File{shared}
				if child.Run() == nil {
					forked++
				}
				_ = shared.Close()
			}
		}
	}()
	outcomes := map[Outcome]int{}
	filter := inventory.Options{Filter: conn.SocketFilter{LocalPorts: wanted, Prefixes: []netip.Prefix{netip.PrefixFrom(loopback, 32)}}}
	on := Values{Known: On}
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && (outcomes[Changed] < 20 || outcomes[Closed] == 0 || passed.Load() < 2000); on.On = !on.On {
		l, err := inventory.Snapshot(t.Context(), filter)
		must(t, err)
		results, err := request(t, on).Do(t.Context(), l.Sockets)
		must(t, err)
		for _, res := range results {
			outcomes[res.Outcome]++
		}
	}
	stop.Store(true)
	<-done
	t.Logf("passed on %d times, forked %d times, of the changes %v", passed.Load(), forked, outcomes)
	if wrong > 0 {
		t.Errorf("connections to other ports were seen changed %d times", wrong)
	}
	if outcomes[Changed] == 0 || outcomes[Closed] == 0 || passed.Load() < 2000 || forked == 0 {
		t.Error("this test has shown nothing")
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
