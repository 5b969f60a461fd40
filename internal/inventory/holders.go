// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"katrace/internal/conn"
	"katrace/internal/owner"
)

// owner sets who holds the socket. It may be called for several at once.
func (g *gatherer) owner(t *owner.Table, paths *owner.CgroupPaths, s *Socket) {
	s.fd = -1
	if _, same := g.inodes[s.Inode]; same && s.TCPState != conn.TCPListen && s.Inode != 0 {
		// Some kernels around 6.17 show a connection with its listener's inode
		// until it is accepted (sk_ino, copied by sk_clone).
		s.Inode, s.HeldBy = 0, conn.HeldByAcceptQueue
	}
	switch s.HeldBy {
	case conn.HeldByKernel:
	case conn.HeldByAcceptQueue:
		g.queued(t, s)
	default:
		if h, ok := t.Find(s.Inode); ok {
			s.hold(h)
		}
	}
	// The socket's own cgroup says more than its process's, but for the root.
	if path, in := paths.Find(s.CgroupID); path != "" && path != "/" {
		s.Cgroup, s.Container, s.Pod = path, in.ID, in.PodUID
	}
	if g.o.Names.Fill(&s.Owner) {
		g.late.Add(1)
	}
}

// hold sets the holder, and the descriptor by which the socket can be asked.
func (s *Socket) hold(h owner.Holder) {
	s.Process, s.HeldBy, s.Holders = h.Process, h.HeldBy, h.Count
	s.Cgroup, s.Container, s.Pod = h.Cgroup, h.Container.ID, h.Container.PodUID
	if h.HeldBy != conn.HeldByIOUring {
		s.fd, s.task = h.FD, h.Task
	}
}

// queued names the process that listens where a connection waits to be
// accepted, unless several do.
func (g *gatherer) queued(t *owner.Table, s *Socket) {
	var one owner.Holder
	n, same := 0, true
	g.listens.Find(s.Netns, s.Family, s.Local, func(inode uint64) {
		h, ok := t.Find(inode)
		if g.inodes[inode] {
			s.HeldBy = conn.HeldByKernel // it will accept it, too
		}
		same = same && ok && (n == 0 || h.Process == one.Process)
		one, n = h, n+1
	})
	if n > 0 && same && s.HeldBy != conn.HeldByKernel {
		s.Process, s.Holders = one.Process, one.Count
		s.Cgroup, s.Container, s.Pod = one.Cgroup, one.Container.ID, one.Container.PodUID
	}
}

// forget takes back an owner who has ended or let go of the socket since the scan.
func (g *gatherer) forget(s *Socket) {
	s.Owner = conn.Owner{UID: s.UID, CgroupID: s.CgroupID}
	s.Holders, s.fd = 0, -1
}
