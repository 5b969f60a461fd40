// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"context"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
)

// asHolder makes the test binary a process that holds what it was given.
const asHolder = "KATRACE_TEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(asHolder) != "" {
		_, _ = os.Stdin.Read(make([]byte, 1)) // until it is closed
		return
	}
	if os.Getenv(asPasser) != "" {
		pass()
		return
	}
	m.Run()
}

// pair is a connection over loopback that this process holds: ours is the one to be changed.
type pair struct {
	listener, ours, peer int
	port                 uint16 // ours
}

// loopback is where all pairs are: other programs may have their ports at other addresses.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func portOf(t *testing.T, fd int) uint16 {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	must(t, err)
	return uint16(sa.(*unix.SockaddrInet4).Port)
}

func connect(t *testing.T) *pair { return stage(t, unix.IPPROTO_TCP, true) }

func stage(t *testing.T, proto int, accept bool) *pair {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, proto)
		if err != nil && proto == unix.IPPROTO_MPTCP {
			t.Skip("no MPTCP on this kernel")
		}
		must(t, err)
		return fd
	}
	p := &pair{listener: socket(), ours: socket(), peer: -1}
	t.Cleanup(func() {
		for _, fd := range []int{p.listener, p.ours, p.peer} {
			if fd >= 0 { // a test that closes one says so
				_ = unix.Close(fd)
			}
		}
	})
	must(t, unix.Bind(p.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, unix.Listen(p.listener, 4))
	must(t, unix.Connect(p.ours, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(portOf(t, p.listener))}))
	p.port = portOf(t, p.ours)
	if accept {
		var err error
		p.peer, _, err = unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
		must(t, err)
	}
	return p
}

// values are what the owner's own getsockopt says.
func values(t *testing.T, fd int) Values {
	t.Helper()
	v := read(fd)
	if v.Known != Count|Interval|UserTimeout|On|Idle {
		t.Fatalf("getsockopt gives only %v", v.Known.Names())
	}
	return v
}

// list lists ours of these pairs, by one of the methods. Other programs' sockets
// may have the same local port.
func list(t *testing.T, method inventory.Method, pairs ...*pair) []inventory.Socket {
	t.Helper()
	var f conn.SocketFilter
	for _, p := range pairs {
		f.LocalPorts, f.RemotePorts = append(f.LocalPorts, p.port), append(f.RemotePorts, portOf(t, p.listener))
	}
	return socketsOf(t, method, f)
}

// queue lists the end of the pair that its listener has, also while nobody has accepted it.
func queue(t *testing.T, p *pair) []inventory.Socket {
	t.Helper()
	return socketsOf(t, inventory.Auto, conn.SocketFilter{LocalPorts: []uint16{portOf(t, p.listener)}, RemotePorts: []uint16{p.port}})
}

// socketsOf lists the sockets that the filter lets through.
func socketsOf(t *testing.T, method inventory.Method, f conn.SocketFilter) []inventory.Socket {
	t.Helper()
	l, err := inventory.Snapshot(t.Context(), inventory.Options{Method: method, Filter: f})
	must(t, err)
	return l.Sockets
}

// one is ours of the pair, alone.
func one(t *testing.T, p *pair) []inventory.Socket {
	t.Helper()
	sockets := list(t, inventory.Auto, p)
	if len(sockets) != 1 {
		t.Fatalf("%d sockets with local port %d", len(sockets), p.port)
	}
	return sockets
}

func request(t *testing.T, want Values) *Request {
	t.Helper()
	hz, err := jiffies.Read()
	must(t, err)
	return &Request{Want: want, Apply: true, HZ: hz}
}

// relist makes the request list those pairs again.
func (r *Request) relist(t *testing.T, pairs ...*pair) *Request {
	r.List = func(context.Context) ([]inventory.Socket, error) { return list(t, inventory.Auto, pairs...), nil }
	return r
}

// do is Do for one socket.
func (r *Request) doOne(t *testing.T, sockets []inventory.Socket) *Result {
	t.Helper()
	results, err := r.Do(t.Context(), sockets)
	must(t, err)
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	return results[0]
}

func (r *Result) want(t *testing.T, o Outcome, reason string) {
	t.Helper()
	if r.Outcome != o || r.Reason != reason {
		t.Fatalf("%s > %s: %s %q, want %s %q", r.Socket.Local, r.Socket.Remote, r.Outcome, r.Reason, o, reason)
	}
}
