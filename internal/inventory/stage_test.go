// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/test/childtest"
)

// pair is a connection over loopback: ours is the one looked at.
type pair struct {
	ours, peer int
	inode      uint64
	local      netip.AddrPort
	remote     netip.AddrPort // two pairs may have the same local port
}

// connect makes a connection to addr ("127.0.0.1", "::1", "::ffff:127.0.0.1").
func connect(t *testing.T, addr string) *pair { return stage(t, addr, true) }

// connectOnly makes one that is not accepted; peer is the socket that listens.
func connectOnly(t *testing.T, addr string) *pair { return stage(t, addr, false) }

func stage(t *testing.T, addr string, accept bool) *pair {
	t.Helper()
	a := netip.MustParseAddr(addr)
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	socket := func() int {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			t.Skip("no IPv6 on this kernel")
		}
		must(err)
		return fd
	}
	sockaddr := func(port int) unix.Sockaddr {
		if a.Is6() {
			return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
		}
		return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
	}
	port := func(fd int) int {
		sa, err := unix.Getsockname(fd)
		must(err)
		if sa, ok := sa.(*unix.SockaddrInet6); ok {
			return sa.Port
		}
		return sa.(*unix.SockaddrInet4).Port
	}
	l := socket()
	must(unix.Bind(l, sockaddr(0)))
	must(unix.Listen(l, 1))
	p := &pair{ours: socket()}
	must(unix.Connect(p.ours, sockaddr(port(l))))
	if p.peer = l; accept {
		var err error
		p.peer, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
		must(err)
		defer func() { _ = unix.Close(l) }()
	}
	var st unix.Stat_t
	must(unix.Fstat(p.ours, &st))
	p.inode = st.Ino
	p.local, p.remote = netip.AddrPortFrom(a.Unmap(), uint16(port(p.ours))), netip.AddrPortFrom(a.Unmap(), uint16(port(l)))
	t.Cleanup(func() { p.closeOurs(); p.closePeer() })
	return p
}

func (p *pair) closeOurs() { p.ours = closeOnce(p.ours) }
func (p *pair) closePeer() { p.peer = closeOnce(p.peer) }

// finWait2 closes ours so that a mini-socket is left (tcp_time_wait). close alone
// leaves one or a whole socket: whole where the peer's ACK of the FIN comes while
// tcp_close still owns the socket (tcp_rcv_state_process).
func (p *pair) finWait2(t *testing.T) {
	t.Helper()
	if err := unix.Shutdown(p.ours, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	const finWait2 = 5 // TCP_FIN_WAIT2
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := unix.GetsockoptTCPInfo(p.ours, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.State == finWait2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the peer's ACK of the FIN did not come: state %d", info.State)
		}
	}
	p.closeOurs()
}

func closeOnce(fd int) int {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
	return -1
}

// keepalive switches it on; seconds that are 0 stay inherited.
func (p *pair) keepalive(t *testing.T, idle, intvl, cnt, userTimeoutMS int) {
	t.Helper()
	set := func(level, name, value int) {
		t.Helper()
		if err := unix.SetsockoptInt(p.ours, level, name, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range [...]struct{ name, value int }{
		{unix.TCP_KEEPIDLE, idle}, {unix.TCP_KEEPINTVL, intvl}, {unix.TCP_KEEPCNT, cnt}, {unix.TCP_USER_TIMEOUT, userTimeoutMS},
	} {
		if o.value != 0 {
			set(unix.IPPROTO_TCP, o.name, o.value)
		}
	}
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

// vanish makes the peer drop all that comes.
func (p *pair) vanish(t *testing.T) {
	t.Helper()
	f := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // ret #0
	if err := unix.SetsockoptSockFprog(p.peer, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &f}); err != nil {
		t.Fatal(err)
	}
}

// acknowledged waits until all that the peer sent is acknowledged: it sends
// nothing again of its own, which would be heard.
func (p *pair) acknowledged(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := unix.GetsockoptTCPInfo(p.peer, unix.IPPROTO_TCP, unix.TCP_INFO)
		switch {
		case err != nil:
			t.Fatal(err)
		case info.Unacked == 0:
			return
		case time.Now().After(end):
			t.Fatalf("%d segments of the peer are not acknowledged", info.Unacked)
		}
	}
}

// reappear makes it hear again.
func (p *pair) reappear(t *testing.T) {
	t.Helper()
	if err := unix.SetsockoptInt(p.peer, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		t.Fatal(err)
	}
}

// probesOut is icsk_probes_out.
func (p *pair) probesOut(t *testing.T) uint8 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(p.ours, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Probes
}

// fill writes until the peer's window is closed and all is acknowledged.
func (p *pair) fill(t *testing.T) {
	t.Helper()
	if err := unix.SetNonblock(p.ours, true); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 64<<10)
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		if _, err := unix.Write(p.ours, chunk); errors.Is(err, unix.EAGAIN) {
			time.Sleep(10 * time.Millisecond)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// apart runs f in a thread that has a descriptor table of its own, and keeps the
// thread until the test ends. What is open by then stays open in that table.
func apart(t *testing.T, f func()) {
	t.Helper()
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	if err := childtest.InThread(over, f); err != nil {
		t.Fatal(err)
	}
}

func loopbackUp(t *testing.T) {
	t.Helper()
	i, err := net.InterfaceByName("lo")
	if err != nil || i.Flags&net.FlagUp == 0 {
		t.Skip("the loopback interface is not up")
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}
