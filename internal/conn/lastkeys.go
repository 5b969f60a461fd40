// SPDX-License-Identifier: BSD-2-Clause

package conn

import "net/netip"

// LastKeys are the keys of States as they were appended of late. A State often follows
// itself, as that of a probe does that of the answer to the one before. Others come in
// turn, because several processors tell of theirs: those have an owner in common, or
// addresses and other ports, with one of a few before.
type LastKeys struct {
	state  State // whose keys socket are
	socket []byte
	parts  [recent]socketParts
	owners [recent]ownerKeys
}

// recent is how many there are of each, a power of two.
const recent = 16

// ownerKeys are the keys of an owner: on a host, for the name of a pod depends on that.
type ownerKeys struct {
	owner Owner
	host  string
	uid   Fact // HasUID, or 0
	keys  []byte
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
		l.socket = l.appendSocketKeys(l.socket[:0], s)
	}
	o := &l.owners[uint(s.Process.PID)%recent]
	if o.keys == nil || o.owner != s.Owner || o.host != s.Host || o.uid != s.Has&HasUID {
		o.owner, o.host, o.uid = s.Owner, s.Host, s.Has&HasUID
		o.keys = s.appendOwnerKeys(o.keys[:0])
	}
	return append(append(dst, l.socket...), o.keys...)
}

func (l *LastKeys) appendSocketKeys(dst []byte, s *State) []byte {
	local, remote := s.Local.Addr(), s.Remote.Addr()
	if s.Inode == 0 || !local.IsValid() || !remote.IsValid() {
		return s.appendSocketKeys(dst)
	}
	p := &l.parts[(3*lowest(local)+lowest(remote))%recent] // another one for the other end
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

// lowest is the byte in which addresses of a network differ most often.
func lowest(a netip.Addr) byte { b := a.As16(); return b[15] }
