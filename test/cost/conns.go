// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// conn is a loopback connection; only its client's keepalive timer runs.
type conn struct{ client, server int }

// connectMany makes n connections.
func connectMany(n int) ([]conn, error) {
	limit := unix.Rlimit{Cur: uint64(2*n + 100), Max: uint64(2*n + 100)}
	var is unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &is); err == nil && is.Max >= limit.Max {
		limit.Max = is.Max
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("raise the limit on open files to %d: %w (try fewer -conns)", limit.Cur, err)
	}
	conns := make([]conn, n)
	for i := range conns {
		var err error
		if conns[i], err = connect(); err != nil {
			return nil, fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	return conns, nil
}

// listener accepts all connections.
var listener = -1

func listen() error {
	if listener >= 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: servers}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 16); err != nil {
		return err
	}
	listener = fd
	return nil
}

func connect() (conn, error) {
	if err := listen(); err != nil {
		return conn{}, fmt.Errorf("listen: %w", err)
	}
	to, err := unix.Getsockname(listener)
	if err != nil {
		return conn{}, err
	}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return conn{}, err
	}
	if err := unix.Bind(client, &unix.SockaddrInet4{Addr: clients}); err != nil {
		return conn{}, err
	}
	if err := unix.Connect(client, to); err != nil {
		return conn{}, fmt.Errorf("connect: %w", err)
	}
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return conn{}, fmt.Errorf("accept: %w", err)
	}
	// More than will be unanswered in a row.
	if err := unix.SetsockoptInt(client, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 127); err != nil {
		return conn{}, err
	}
	return conn{client, server}, nil
}

// silence makes the server hear nothing more, or hear again. Its end of the
// connection then answers no probe.
func (c conn) silence(on bool) error {
	if !on {
		return unix.SetsockoptInt(c.server, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	return unix.SetsockoptSockFprog(c.server, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: 1, Filter: &drop})
}

// arm starts the keepalive timer anew: it fires after the whole idle time.
func (c conn) arm() error {
	for _, on := range []int{0, 1} {
		if err := unix.SetsockoptInt(c.client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on); err != nil {
			return fmt.Errorf("SO_KEEPALIVE %d: %w", on, err)
		}
	}
	return nil
}

func (c conn) close() {
	_ = unix.Close(c.client)
	_ = unix.Close(c.server)
}
