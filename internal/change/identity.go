// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// identity is what a descriptor says of the socket behind it.
type identity struct {
	mptcp         bool
	closed        bool // the connection has ended, its process still holds it
	cookie        uint64
	local, remote netip.AddrPort
}

// identify asks a descriptor that was borrowed. The inode number was compared by then.
func identify(fd int) (who identity, err error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return who, fmt.Errorf("getsockopt SO_TYPE: %w", err)
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return who, fmt.Errorf("getsockopt SO_PROTOCOL: %w", err)
	}
	who.mptcp = protocol == unix.IPPROTO_MPTCP
	if kind != unix.SOCK_STREAM || protocol != unix.IPPROTO_TCP && !who.mptcp {
		return who, errors.New("it is no TCP socket")
	}
	if who.cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return who, fmt.Errorf("getsockopt SO_COOKIE: %w", err)
	}
	if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
		who.closed = conn.TCPState(info.State) == conn.TCPClose
	}
	if sa, err := unix.Getsockname(fd); err == nil {
		who.local = addrOf(sa)
	}
	if sa, err := unix.Getpeername(fd); err == nil {
		who.remote = addrOf(sa)
	}
	return who, nil
}

func addrOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// is says whether it is the socket that was listed. An inode number can be used
// again once the kernel has given out four thousand million of them: the cookie,
// where the list has one, and the addresses tell.
func (who *identity) is(t *target) bool {
	if t.cookie != 0 && who.cookie != t.cookie {
		return false
	}
	if who.mptcp {
		return true // its subflows have addresses and cookies of their own
	}
	s := t.Socket
	if cookie, ok := s.Cookie(); ok && cookie != who.cookie {
		return false
	}
	local := netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port())
	return who.local == local && (!who.remote.IsValid() || !s.Remote.IsValid() || who.remote == s.Remote)
}

// fromSubflow takes what the subflow that was listed says in place of what the
// MPTCP socket says: before Linux 6.17 that has a SO_KEEPALIVE of its own, which
// is not what its subflows do, and no settings on older kernels.
func (t *target) fromSubflow() {
	listed := listed(t.Socket)
	t.Before = t.Before.With(&listed)
}

// listed are a socket's settings as the list has them.
func listed(s *inventory.Socket) (v Values) {
	if s.Has&inventory.HasOn != 0 {
		v.Known, v.On = v.Known|On, s.On
	}
	if k := &s.Keepalive; s.Has&conn.HasKeepalive != 0 {
		v.Known |= Idle | Interval | Count | UserTimeout
		v.Idle, v.Interval, v.Count, v.UserTimeout = k.Idle, k.Interval, k.Count, k.UserTimeout
	}
	return v
}

func join(words []string) string { return strings.Join(words, ", ") }
