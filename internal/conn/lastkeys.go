// SPDX-License-Identifier: BSD-2-Clause

package conn

import "net/netip"

// LastKeys are the keys of States as they were appended last. A State often follows
// itself, as that of a probe does that of the answer to the one before; or one of the
// same owner; or one that has the same addresses and other ports.
type LastKeys struct {
	state         State // what the keys are of: the socket of one, the owner of one
	socket, owner []byte
	// parts are the parts of the last socket that had all keys.
	parts socketParts
}

// socketParts are the keys of a socket up to its inode number, its local port and its
// remote port.
type socketParts struct {
	netns                      uint32
	family                     Family
	tcpState                   TCPState
	local, remote              netip.Addr
	toInode, toLocal, toRemote []byte
}

// AppendKeys appends what State.AppendKeys does.
func (l *LastKeys) AppendKeys(dst []byte, s *State) []byte {
	last := &l.state
	if l.socket == nil || last.Inode != s.Inode || last.Local != s.Local || last.Remote != s.Remote || last.Netns != s.Netns ||
		last.Family != s.Family || last.TCPState != s.TCPState {
		last.Inode, last.Local, last.Remote, last.Netns, last.Family, last.TCPState = s.Inode, s.Local, s.Remote, s.Netns, s.Family, s.TCPState
		l.socket = l.parts.appendKeys(l.socket[:0], s)
	}
	if l.owner == nil || last.Owner != s.Owner || last.Host != s.Host || (last.Has^s.Has)&HasUID != 0 {
		last.Owner, last.Host, last.Has = s.Owner, s.Host, s.Has
		l.owner = s.appendOwnerKeys(l.owner[:0])
	}
	return append(append(dst, l.socket...), l.owner...)
}

func (p *socketParts) appendKeys(dst []byte, s *State) []byte {
	if s.Inode == 0 || !s.Local.IsValid() || !s.Remote.IsValid() {
		return s.appendSocketKeys(dst)
	}
	local, remote := s.Local.Addr(), s.Remote.Addr()
	if p.toInode == nil || p.netns != s.Netns {
		p.netns = s.Netns
		p.toInode = append(s.appendNetnsKey(p.toInode[:0]), inodeKey...)
	}
	if p.toLocal == nil || p.family != s.Family || p.tcpState != s.TCPState || p.local != local {
		p.family, p.tcpState, p.local = s.Family, s.TCPState, local
		p.toLocal = appendAddr(append(s.appendStateKeys(p.toLocal[:0]), localKey...), local)
	}
	if p.toRemote == nil || p.remote != remote {
		p.remote = remote
		p.toRemote = appendAddr(append(append(p.toRemote[:0], '}'), remoteKey...), remote)
	}
	dst = AppendDecimal(append(dst, p.toInode...), s.Inode)
	dst = AppendDecimal(append(dst, p.toLocal...), uint64(s.Local.Port()))
	return append(AppendDecimal(append(dst, p.toRemote...), uint64(s.Remote.Port())), '}')
}
