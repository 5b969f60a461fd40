// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"net/netip"

	"katrace/internal/conn"
)

// Listening is a socket that listens. A connection that nobody has accepted has
// no inode; it is in the accept queue of such a socket.
type Listening struct {
	Netns uint32
	Local netip.AddrPort
	IPv6  bool // AF_INET6; with an address of IPv6 alone, or for IPv4 as well
	Inode uint64
}

// Listeners are all of them. The zero value holds none.
type Listeners struct {
	at map[listeningAt][]Listening
	n  int
}

type listeningAt struct {
	netns uint32
	port  uint16
}

// maxListeners bounds the memory that they take: some 100 bytes each.
const maxListeners = 1 << 16

// Add enters one; an IPv4-mapped address is one of IPv4.
func (l *Listeners) Add(s Listening) {
	at := listeningAt{s.Netns, s.Local.Port()}
	s.Local = netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port())
	for _, known := range l.at[at] {
		if known == s {
			return // by another descriptor
		}
	}
	if l.n == maxListeners {
		return
	}
	if l.at == nil {
		l.at = map[listeningAt][]Listening{}
	}
	l.n++
	l.at[at] = append(l.at[at], s)
}

// Find calls yield with the inode of each socket that may have taken a
// connection with that local end. As the kernel does (compute_score() in
// net/ipv4/inet_hashtables.c), it takes one that listens on the address itself
// before one that listens on all. It is one of several only where they share
// the port (SO_REUSEPORT) or are bound to network devices.
func (l *Listeners) Find(netns uint32, family conn.Family, local netip.AddrPort, yield func(inode uint64)) {
	ipv6 := family != conn.IPv4 // a connection has its listener's family
	some := l.at[listeningAt{netns, local.Port()}]
	exact := false
	for i := range some {
		exact = exact || some[i].IPv6 == ipv6 && some[i].Local == local
	}
	for i := range some {
		if some[i].IPv6 == ipv6 && (exact && some[i].Local == local || !exact && some[i].Local.Addr().IsUnspecified()) {
			yield(some[i].Inode)
		}
	}
}
