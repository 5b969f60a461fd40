// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// TestChurn: while a process opens and closes connections as fast as it can, at
// the same few descriptors, those to one port are changed again and again, and
// none to another port ever is. One to that port stays for each pass: it is changed,
// whatever becomes of the others.
func TestChurn(t *testing.T) {
	wanted, others := stage(t, unix.IPPROTO_TCP, false), stage(t, unix.IPPROTO_TCP, false)
	ports := [2]int{int(portOf(t, wanted.listener)), int(portOf(t, others.listener))}
	for _, l := range []int{wanted.listener, others.listener} {
		must(t, unix.Listen(l, 64))
	}
	stop, done := make(chan struct{}), make(chan struct{})
	var made, wrong int
	go func() {
		defer close(done)
		const slots = 16
		var fds [slots][2]int // the connection, and its peer
		var to [slots]int
		open := func(i, port int) bool {
			c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return false
			}
			// A RST ends it: no port is left in TIME_WAIT.
			_ = unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			if unix.Connect(c, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: ports[port]}) != nil {
				_ = unix.Close(c)
				return false
			}
			peer, _, err := unix.Accept4([...]int{wanted.listener, others.listener}[port], unix.SOCK_CLOEXEC)
			if err != nil {
				_ = unix.Close(c)
				return false
			}
			if fds[i][0] == 0 {
				fds[i] = [2]int{c, peer}
			} else { // at the same number
				if unix.Dup3(c, fds[i][0], unix.O_CLOEXEC) != nil {
					return false
				}
				_ = unix.Close(c)
				_ = unix.Close(fds[i][1])
				fds[i][1] = peer
			}
			to[i] = port
			made++
			return true
		}
		defer func() {
			for i := range fds {
				if fds[i][0] != 0 {
					_, _ = unix.Close(fds[i][0]), unix.Close(fds[i][1])
				}
			}
		}()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			i := n % slots
			if fds[i][0] != 0 && to[i] == 1 {
				if on, err := unix.GetsockoptInt(fds[i][0], unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on != 0 {
					wrong++
				}
			}
			if !open(i, (n/slots+i)%2) {
				return
			}
		}
	}()
	outcomes := map[Outcome]int{}
	want := Values{Known: On | Idle, On: true, Idle: time.Minute}
	// Other programs' sockets at other addresses may have that port, too.
	filter := conn.SocketFilter{Prefixes: []netip.Prefix{netip.PrefixFrom(loopback, 32)}}
	r := request(t, want)
	r.List = func(context.Context) ([]inventory.Socket, error) { return socketsOf(t, inventory.Auto, filter), nil }
	const passes = 12
	for range passes {
		stays := connect(t)
		filter.RemotePorts = []uint16{uint16(ports[0]), portOf(t, stays.listener)}
		results, err := r.Do(t.Context(), socketsOf(t, inventory.Auto, filter))
		must(t, err)
		changed := false
		for _, res := range results {
			outcomes[res.Outcome]++
			changed = changed || res.Outcome == Changed && res.Socket.Local.Port() == stays.port
		}
		if !changed {
			t.Error("the connection that stays was not changed")
		}
	}
	close(stop)
	<-done
	t.Logf("%d connections, of which were %v", made, outcomes)
	if wrong > 0 {
		t.Errorf("%d connections to another port were changed", wrong)
	}
}
