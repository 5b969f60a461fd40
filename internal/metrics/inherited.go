// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// inherited is a listening TCP socket that whoever started katrace made. It
// accepts connections without keepalive. Package net switches it on for all that it
// makes of a descriptor, and katrace would report each scrape as `enabled`.
type inherited struct {
	*os.File
	addr net.Addr
}

// inherit takes the descriptor of a listening socket.
func inherit(fd uintptr) (net.Listener, error) {
	_ = unix.SetNonblock(int(fd), true) // what os asks before it takes it to the poller
	f := os.NewFile(fd, "listener")
	l, err := net.FileListener(f) // with a copy of it
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	if _, ok := l.(*net.TCPListener); !ok {
		_ = f.Close()
		return l, nil
	}
	_ = l.Close()
	return inherited{f, l.Addr()}, nil
}

func (l inherited) Addr() net.Addr { return l.addr }

// Accept is of net.Listener.
func (l inherited) Accept() (net.Conn, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var accepted error
	err = raw.Read(func(listener uintptr) bool {
		fd, _, accepted = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return accepted != unix.EAGAIN && accepted != unix.EINTR && accepted != unix.ECONNABORTED
	})
	if err == nil {
		err = os.NewSyscallError("accept4", accepted)
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: err}
	}
	return scrape{os.NewFile(uintptr(fd), "scrape"), l.addr}, nil
}

// scrape is a connection that package net does not know.
type scrape struct {
	*os.File // with deadlines, because the descriptor does not block
	local    net.Addr
}

func (c scrape) LocalAddr() net.Addr { return c.local }

// RemoteAddr is not the peer's: nothing asks for that.
func (c scrape) RemoteAddr() net.Addr { return c.local }
