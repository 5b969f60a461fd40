// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// accept takes the first connection to an address. The function is called when
// one can come.
func accept(at netip.AddrPort, listening func()) (int, error) {
	listener, err := bound(at)
	if err != nil {
		return -1, err
	}
	defer unix.Close(listener)
	if err := unix.Listen(listener, 1); err != nil {
		return -1, err
	}
	listening()
	socket, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	return socket, err
}

// dial connects from an address; port 0 is any.
func dial(from, to netip.AddrPort) (int, error) {
	socket, err := bound(from)
	if err != nil {
		return -1, err
	}
	return socket, unix.Connect(socket, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
}

// bound is a socket at an address, on which a server has just ended, perhaps.
func bound(at netip.AddrPort) (int, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	return socket, unix.Bind(socket, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
}

// forget closes a socket without a segment, as a host that restarts does.
func forget(socket int) error {
	if err := unix.SetsockoptInt(socket, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
		return err
	}
	return unix.Close(socket)
}

// abort closes a socket with a RST.
func abort(socket int) error {
	if err := unix.SetsockoptLinger(socket, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return err
	}
	return unix.Close(socket)
}

// fill writes to a socket until it has taken nothing for a second: its peer reads
// nothing.
func fill(socket int) error {
	some := make([]byte, 4096)
	for {
		switch _, err := unix.SendmsgN(socket, some, nil, nil, unix.MSG_DONTWAIT); err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			if n, err := unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}, 1000); n == 0 || err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
}
