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
	"katrace/internal/group"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// gatherer collects what a Snapshot finds.
type gatherer struct {
	ctx     context.Context
	o       *Options
	src     *source
	hz      jiffies.HZ
	list    *List
	begun   time.Time                // List.Time, with the monotonic clock
	spaces  []namespace              // to look into
	wanted  func(netns uint32) bool  // whether others are, which are found under way; nil: none is
	hidden  bool                     // there may be more
	take    func(*Socket)            // what becomes of a socket that is listed
	taken   int                      // how many were
	sysctls map[uint32]conn.Settings // by namespace: those that were looked into
	inUse   int                      // sockets in these, about
	refused bool                     // a namespace might not be entered
	listens owner.Listeners          // all that listen, wanted or not
	inodes  map[uint64]bool          // theirs, and whether they are the kernel's
	mu      sync.Mutex               // guards List.Lacks
}

// begin prepares a list.
func (r *Lister) begin(ctx context.Context) (*gatherer, error) {
	begun := time.Now()
	g := &gatherer{ctx: ctx, o: &r.o, src: r.src, begun: begun, sysctls: map[uint32]conn.Settings{}, inodes: map[uint64]bool{},
		list: &List{Time: begun.UTC(), Method: r.src.method, Passed: r.src.passed}}
	if g.o.Ports {
		g.list.Ports = group.NewPorts()
		g.list.Ports.AllListeners = true
	}
	own, err := here()
	if err != nil {
		return nil, err
	}
	g.list.Netns = own.inum
	if g.spaces, g.wanted, g.hidden, err = g.o.spaces(); err != nil {
		return nil, err
	}
	if g.hidden {
		g.lack("network namespaces of hidden processes ("+loader.Advice(unix.CAP_SYS_PTRACE)+")", 0)
	}
	g.hz, err = jiffies.Read()
	return g, err
}

// scan finds the holders of all sockets.
func (g *gatherer) scan() (*owner.Table, error) {
	t, err := g.src.owners.Scan(g.ctx)
	g.list.Took.Owners, g.list.Took.Scanned = time.Since(g.begun), g.src.owners.Way()
	return t, err
}

// referred are the namespaces to look into that only descriptors refer to.
func (g *gatherer) referred(t *owner.Table) (more []namespace) {
	for inum, path := range t.Netns {
		if g.wanted != nil && g.wanted(inum) && !g.seen(inum) {
			more = append(more, namespace{inum, path})
		}
	}
	return more
}

func (g *gatherer) seen(netns uint32) bool { _, ok := g.sysctls[netns]; return ok }

// all lists the sockets of the namespaces.
func (g *gatherer) all(spaces []namespace) (err error) {
	for _, ns := range spaces {
		err = errors.Join(err, g.namespace(ns))
	}
	return err
}

// end ends the list.
func (g *gatherer) end() {
	l := g.list
	l.looked, l.hidden = g.sysctls, g.hidden || g.refused
	l.Took.All = time.Since(g.begun)
}

// namespace lists the sockets of a namespace. One that is gone by now, or may
// not be entered, is left out; the latter is said.
func (g *gatherer) namespace(ns namespace) error {
	err := ns.do(func() error {
		var err error
		if g.sysctls[ns.inum], err = Defaults(); err != nil {
			return err
		}
		g.inUse += inUse()
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

// notFound is why none of the namespaces that were asked for was looked into; nil
// where one was, or none was asked for.
func (g *gatherer) notFound() error {
	if len(g.o.Filter.Netns) == 0 || len(g.sysctls) > 0 {
		return nil
	}
	inum := g.o.Filter.Netns[0]
	switch {
	case g.refused:
		return &loader.UnsupportedError{Doing: fmt.Sprintf("enter network namespace %d", inum), Err: unix.EPERM,
			Hint: loader.Advice(unix.CAP_SYS_ADMIN)}
	case g.hidden:
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
	if g.o.Max > 0 && g.taken >= g.o.Max {
		g.list.More++
		return
	}
	g.taken++
	if s.Remote.Port() == 0 {
		s.Remote = netip.AddrPort{} // it listens, or is not connected
	}
	s.Seen = time.Since(g.begun)
	g.take(s)
}

// keep adds a socket to the list.
func (g *gatherer) keep(s *Socket) {
	g.makeRoom()
	g.list.Sockets = append(g.list.Sockets, *s)
}

// each calls do for the sockets of the list, on all processors.
func (g *gatherer) each(do func(*Socket)) {
	spread(len(g.list.Sockets), func(from, to int) {
		for i := from; i < to; i++ {
			do(&g.list.Sockets[i])
		}
	})
}

// makeRoom makes room for a socket. Where a thousand are wanted, it is for all that
// there are in the namespaces so far and some, and at least as much again as there is:
// to make more again and again copies each of them several times.
func (g *gatherer) makeRoom() {
	const some = 1024
	found, more := len(g.list.Sockets), some
	if found < cap(g.list.Sockets) {
		return
	}
	if found >= some {
		more = max(found, g.inUse+g.inUse/8-found)
	}
	if g.o.Max > 0 {
		more = min(more, g.o.Max-found)
	}
	g.list.Sockets = slices.Grow(g.list.Sockets, more)
}

// lack notes what could not be had. It may be called by several at once.
func (g *gatherer) lack(what string, sockets int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.list.Lacks {
		if l := &g.list.Lacks[i]; l.What == what {
			l.Sockets += sockets
			return
		}
	}
	g.list.Lacks = append(g.list.Lacks, Lack{what, sockets})
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
