// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// gatherer collects what a Snapshot finds.
type gatherer struct {
	ctx     context.Context
	o       *Options
	src     *source
	list    *List
	begun   time.Time                // List.Time, with the monotonic clock
	sysctls map[uint32]conn.Settings // by namespace: those that were looked into
	refused bool                     // a namespace might not be entered
	listens owner.Listeners          // all that listen, wanted or not
	inodes  map[uint64]bool          // theirs, and whether they are the kernel's
}

func (g *gatherer) seen(netns uint32) bool { _, ok := g.sysctls[netns]; return ok }

// namespace lists the sockets of a namespace. One that is gone by now, or may
// not be entered, is left out; the latter is said.
func (g *gatherer) namespace(ns namespace) error {
	err := ns.do(func() error {
		var err error
		if g.sysctls[ns.inum], err = Defaults(); err != nil {
			return err
		}
		return g.src.sockets(g.ctx, ns.inum, g.states(), g.add)
	})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case ns.path != "" && errors.Is(err, os.ErrPermission):
		g.refused = true
		g.lack("network namespaces that may not be entered ("+loader.Advice(unix.CAP_SYS_ADMIN)+")", 0)
		return nil
	}
	return err
}

// notFound is why the only namespace that was asked for was not looked into.
func (g *gatherer) notFound(inum uint32, hidden bool) error {
	switch {
	case g.refused:
		return &loader.UnsupportedError{Doing: fmt.Sprintf("enter network namespace %d", inum), Err: unix.EPERM,
			Hint: loader.Advice(unix.CAP_SYS_ADMIN)}
	case hidden:
		return &loader.UnsupportedError{Doing: fmt.Sprintf("find network namespace %d", inum), Err: errors.New("nothing refers to it, or its processes are hidden"),
			Hint: loader.Advice(unix.CAP_SYS_PTRACE)}
	}
	return fmt.Errorf("no network namespace %d is to be found: nothing refers to it", inum)
}

func (g *gatherer) states() uint32 {
	if len(g.o.States) == 0 {
		return allStates
	}
	bits := uint32(1) << conn.TCPListen // they tell who owns what is in their queues
	for _, s := range g.o.States {
		bits |= 1 << s
	}
	return bits
}

func (g *gatherer) add(s *Socket) {
	if s.TCPState == conn.TCPListen {
		g.listens.Add(owner.Listening{Netns: s.Netns, Local: s.Local, IPv6: s.Family != conn.IPv4, Inode: s.Inode})
		g.inodes[s.Inode] = s.HeldBy == conn.HeldByKernel
	}
	if g.list.Ports != nil {
		g.list.Ports.Add(&s.State)
	}
	if len(g.o.States) > 0 && !slices.Contains(g.o.States, s.TCPState) || !g.o.Filter.Match(&s.State) {
		return
	}
	if g.o.On && (!s.Connected() || s.Has&HasOn != 0 && !s.On) {
		return
	}
	if g.o.Max > 0 && len(g.list.Sockets) >= g.o.Max {
		g.list.More++
		return
	}
	if s.Remote.Port() == 0 {
		s.Remote = netip.AddrPort{} // it listens, or is not connected
	}
	s.Seen = time.Since(g.begun)
	g.list.Sockets = append(g.list.Sockets, *s)
}

func (g *gatherer) lack(what string, sockets int) {
	for i := range g.list.Lacks {
		if l := &g.list.Lacks[i]; l.What == what {
			l.Sockets += sockets
			return
		}
	}
	g.list.Lacks = append(g.list.Lacks, Lack{what, sockets})
}

// owners sets who holds each socket.
func (g *gatherer) owners(t *owner.Table) {
	paths := owner.NewCgroupPaths()
	defer paths.Close()
	for i := range g.list.Sockets {
		s := &g.list.Sockets[i]
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
		g.o.Names.Fill(&s.Owner)
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

// settings asks each socket for its settings, a process at a time, on all processors.
func (g *gatherer) settings() {
	sockets := g.list.Sockets
	order := make([]int32, 0, len(sockets))
	var unheld, queued, apart, orphans int
	for i := range sockets {
		switch s := &sockets[i]; {
		case s.fd >= 0:
			order = append(order, int32(i))
		case s.HeldBy == conn.HeldByAcceptQueue:
			queued++
		case s.HeldBy != 0:
			apart++
		case s.Inode != 0:
			unheld++
		case s.Connected():
			orphans++
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(sockets[a].Process.PID, sockets[b].Process.PID), cmp.Compare(sockets[a].task, sockets[b].task))
	})
	for _, l := range [...]struct {
		n    int
		what string
	}{
		{unheld, "the holders and settings of sockets for which no descriptor was found"},
		{queued, "the settings of connections that nobody has accepted yet"},
		{apart, "the settings of sockets that only an io_uring holds"},
		{orphans, "the settings of connections that their process has closed"},
	} {
		if l.n > 0 {
			g.lack(l.what, l.n)
		}
	}
	const chunk = 512 // of one process or of several
	var (
		next    atomic.Int64
		refused atomic.Int64
		threads atomic.Int64
		wg      sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= len(order) || g.ctx.Err() != nil {
					return
				}
				r, a := g.askAll(order[from:min(len(order), from+chunk)])
				refused.Add(r)
				threads.Add(a)
			}
		})
	}
	wg.Wait()
	if n := g.endsNotKnown(); n > 0 {
		g.lack("when the kernel gives up what it sends again and again (netlink does not tell since when it does)", n)
	}
	if n := int(threads.Load()); n > 0 {
		g.lack("the settings of sockets that a thread apart from its process holds (before Linux 6.9)", n)
	}
	if n := int(refused.Load()); n > 0 {
		g.lack("the settings of sockets whose process may not be asked for them ("+loader.Advice(unix.CAP_SYS_PTRACE)+")", n)
	}
}

// endsNotKnown counts the connections in which keepalive has no say, and whose end
// netlink does not tell.
func (g *gatherer) endsNotKnown() (n int) {
	for i := range g.list.Sockets {
		if s := &g.list.Sockets[i]; s.Stalled() && !s.Endless() {
			n++
		}
	}
	return n
}

// askAll asks the sockets at those places, which are in the order of their
// processes, and returns how many were refused, and how many cannot be asked for
// want of a pidfd of a thread.
func (g *gatherer) askAll(places []int32) (refused, apart int64) {
	var b Borrower
	defer b.Close()
	for _, i := range places {
		s := &g.list.Sockets[i]
		fd, err := b.Borrow(s)
		switch {
		case err == nil:
		case errors.Is(err, ErrThread):
			apart++
			continue // what is known stays
		case errors.Is(err, ErrRefused):
			refused++
			continue
		default:
			g.forget(s)
			continue
		}
		// A socket that refuses has just been closed: what is known stays.
		_ = s.ask(fd, g.sysctls[s.Netns])
		_ = unix.Close(fd)
	}
	return refused, apart
}

// forget takes back an owner who has ended or let go of the socket since the scan.
func (g *gatherer) forget(s *Socket) {
	s.Owner = conn.Owner{UID: s.UID, CgroupID: s.CgroupID}
	s.Holders, s.fd = 0, -1
}
