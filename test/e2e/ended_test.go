// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// pairOf is a loopback connection with keepalive on at both ends, the second of
// which waits in its listener's queue until take is called.
type pairOf struct{ ln, client, server int }

func newPair() (p pairOf, err error) {
	p = pairOf{-1, -1, -1}
	if p.ln, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return p, err
	}
	lo := [4]byte{127, 0, 0, 1}
	if p.client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return p, err
	}
	err = errors.Join(
		unix.SetsockoptInt(p.ln, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.Bind(p.ln, &unix.SockaddrInet4{Addr: lo}),
		unix.Listen(p.ln, 1),
	)
	if err != nil {
		return p, err
	}
	at, err := unix.Getsockname(p.ln)
	if err != nil {
		return p, err
	}
	return p, unix.Connect(p.client, at)
}

func (p *pairOf) take() (err error) {
	p.server, _, err = unix.Accept4(p.ln, unix.SOCK_CLOEXEC)
	return err
}

// drop closes a socket of the pair.
func drop(fd *int) error {
	err := unix.Close(*fd)
	*fd = -1
	return err
}

// abort closes one with RST.
func abort(fd *int) error {
	return errors.Join(unix.SetsockoptLinger(*fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), drop(fd))
}

// close closes what is still open: with keepalive off, it is no part of the test.
func (p *pairOf) close() {
	for _, fd := range []*int{&p.server, &p.client, &p.ln} {
		if *fd >= 0 {
			_ = unix.SetsockoptInt(*fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
			_ = drop(fd)
		}
	}
}

// errnoOf is what the application reads, waited for.
func errnoOf(fd int) error {
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, 5000); err != nil {
		return err
	}
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	return unix.Errno(n)
}

// port is the socket's own.
func port(fd int) uint16 {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0
	}
	return uint16(at.(*unix.SockaddrInet4).Port)
}

// TestEnded: an end with an error that an application will read is told, and no
// other: a process that closes or aborts its own connection, a connect that fails.
func TestEnded(t *testing.T) {
	unlessHidden(t, endedOnly)
}

func endedOnly(t *testing.T) (wrong []string, lost events.Lost) {
	l := newLoad(t, 1, false, 3) // its network namespace
	r := startOne(t, l.only())
	want := map[uint16]string{}
	inNamespace(t, l.ns, func() error {
		var errs []error
		for _, end := range []func(p *pairOf) error{
			func(p *pairOf) error { // not accepted yet: whoever accepts it reads the error
				local := port(p.ln)
				if err := abort(&p.client); err != nil {
					return err
				}
				if err := p.take(); err != nil {
					return err
				}
				want[local] = errnoOf(p.server).Error()
				return nil
			},
			func(p *pairOf) error { // FIN_WAIT2, its application there
				err := errors.Join(p.take(), unix.Shutdown(p.client, unix.SHUT_WR), unix.SetsockoptInt(p.server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
				local := port(p.client)
				err = errors.Join(err, abort(&p.server))
				want[local] = errnoOf(p.client).Error()
				return err
			},
			func(p *pairOf) error { // its own close, with unread data
				err := errors.Join(p.take(), unix.SetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
				_, sent := unix.Write(p.client, []byte{1})
				_, polled := unix.Poll([]unix.PollFd{{Fd: int32(p.server), Events: unix.POLLIN}}, 5000)
				return errors.Join(err, sent, polled, drop(&p.server))
			},
			func(p *pairOf) error { // FIN both ways
				return errors.Join(p.take(), drop(&p.client), drop(&p.server))
			},
			func(p *pairOf) error { // an orphan is reset: nobody reads that
				return errors.Join(p.take(), drop(&p.client), abort(&p.server))
			},
			func(p *pairOf) error { // a connect that fails: nobody listens any more
				at, err := unix.Getsockname(p.ln)
				fd, made := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				on := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
				if err := errors.Join(err, made, on, unix.SetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0), drop(&p.ln)); err != nil {
					return err
				}
				if err := unix.Connect(fd, at); !errors.Is(err, unix.ECONNREFUSED) {
					return fmt.Errorf("connect to a port on which nobody listens: %w", err)
				}
				return unix.Close(fd)
			},
		} {
			p, err := newPair()
			if err == nil {
				err = end(&p)
			}
			p.close()
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	time.Sleep(time.Second) // for what is not to come
	got := map[uint16]string{}
	for _, e := range r.stop() {
		switch {
		case e.Kind == events.KindLost:
			lost = lost.Plus(e.Lost)
		case e.Kind.Ends() && e.Local.Addr() == netip.MustParseAddr("127.0.0.1"):
			got[e.Local.Port()] = errnoText(e.Errno)
			if e.Kind != events.KindEnded || e.By != events.ByPeer {
				wrong = append(wrong, string(events.AppendText(nil, &e)))
			}
		}
	}
	if !maps.Equal(got, want) {
		wrong = append(wrong, fmt.Sprintf("ended by port %v, want %v", got, want))
	}
	return wrong, lost
}

// errnoText is what the errno's name stands for.
func errnoText(name string) string {
	for _, e := range []unix.Errno{unix.ECONNRESET, unix.EPIPE, unix.ETIMEDOUT, unix.ECONNABORTED, unix.ECONNREFUSED} {
		if unix.ErrnoName(e) == name {
			return e.Error()
		}
	}
	return name
}
