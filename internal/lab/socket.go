// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a descriptor that the runtime's poller watches: a goroutine that
// waits for it costs no thread, and closing it ends the wait.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// newSocket takes a non-blocking descriptor over, also when it fails.
func newSocket(fd int, name string) (*socket, error) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("watch the %s socket: %w", name, err)
	}
	return &socket{file, raw}, nil
}

func (s *socket) control(f func(fd int) error) error {
	var err error
	if closed := s.raw.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return closed
	}
	return err
}

func (s *socket) close() error { return s.file.Close() }

// set sets a socket option.
func (s *socket) set(level, option, value int) error {
	return s.control(func(fd int) error { return unix.SetsockoptInt(fd, level, option, value) })
}

// Each call that can block waits with poll(2), at most so long: nothing that a busy machine reaches.
const callLimit = time.Minute

// listenTCP listens on a port that the kernel chooses. A small receive buffer
// (bytes; 0: the system's) is for a peer whose window is to close soon. It runs
// on a thread in the namespace.
func listenTCP(addr netip.Addr, proto, receiveBuffer int) (*socket, netip.AddrPort, error) {
	s, err := newTCP(addr, proto, "listening")
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	var at netip.AddrPort
	err = s.control(func(fd int) (err error) {
		if receiveBuffer > 0 {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
				return err
			}
		}
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(addr, 0))); err != nil {
			return err
		}
		if err := unix.Listen(fd, 1); err != nil {
			return err
		}
		at, err = localAddr(fd)
		return err
	})
	if err != nil {
		s.close()
		return nil, netip.AddrPort{}, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return s, at, nil
}

// dialTCP connects. An IPv4-mapped address makes an AF_INET6 socket. It runs on
// a thread in the namespace.
//
// EHOSTUNREACH is no end here: on a slow machine a new interface may not answer
// three neighbour solicitations in as many seconds.
func dialTCP(to netip.AddrPort, proto int) (*socket, error) {
	for end := time.Now().Add(callLimit); ; {
		s, err := dialOnce(to, proto)
		if !errors.Is(err, unix.EHOSTUNREACH) || time.Now().After(end) {
			return s, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func dialOnce(to netip.AddrPort, proto int) (*socket, error) {
	s, err := newTCP(to.Addr(), proto, "traced")
	if err != nil {
		return nil, err
	}
	err = s.control(func(fd int) error {
		if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		if err := await(fd, unix.POLLOUT); err != nil {
			return err
		}
		return socketError(fd)
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	return s, nil
}

// accept takes the one connection of a listening socket.
func (s *socket) accept() (*socket, error) {
	var peer int
	err := s.control(func(fd int) (err error) {
		if err := await(fd, unix.POLLIN); err != nil {
			return err
		}
		peer, _, err = unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return newSocket(peer, "peer")
}

// newTCP makes a socket of IPPROTO_TCP or IPPROTO_MPTCP.
func newTCP(addr netip.Addr, proto int, name string) (*socket, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return nil, fmt.Errorf("make the %s socket: %w", name, err)
	}
	return newSocket(fd, name)
}

// await waits until poll(2) says that the descriptor is ready.
func await(fd int, events int16) error {
	end := time.Now().Add(callLimit)
	for {
		left := time.Until(end)
		if left <= 0 {
			return unix.ETIMEDOUT
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(left.Milliseconds())+1)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// socketError takes the socket's pending error.
func socketError(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		err = unix.Errno(n)
	}
	return err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// localAddr is the socket's own address, an IPv4-mapped one as IPv4.
func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("unexpected socket address %T", sa)
}
