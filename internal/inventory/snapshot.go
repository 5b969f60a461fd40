// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/group"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// Method is a way of finding the sockets.
type Method string

// The methods: Auto takes BPF where the kernel and the privileges allow it.
const (
	Auto    Method = "auto"
	BPF     Method = "bpf"     // a BPF iterator over the sockets: everything is known
	Netlink Method = "netlink" // sock_diag, and getsockopt through pidfd_getfd
)

// Options say what to list. The zero value lists every TCP socket of the
// network namespace katrace runs in, by the best method there is.
type Options struct {
	Method   Method
	AllNetns bool              // every network namespace that can be found; also where Filter.Netns asks for some
	Filter   conn.SocketFilter // sockets that it refuses are left out
	States   []conn.TCPState
	Ports    bool   // also find out which of the ports are services': List.Ports
	On       bool   // only connections that may have keepalive on: those known not to are left out
	Max      int    // sockets to list at most; 0: all. List.More counts the others, one twice that the dump shows twice
	BTF      string // file with the kernel's BTF, "": the kernel's own
	Names    *owner.Names
}

// List is what a Snapshot found.
type List struct {
	Time    time.Time
	Netns   uint32 // katrace's own network namespace
	Method  Method
	Passed  error // why BPF was passed over, if it was
	Sockets []Socket
	Ports   *group.Ports // of all sockets of the namespaces, wanted or not; nil without Options.Ports
	More    int          // sockets that were found beyond Options.Max
	Lacks   []Lack
	Took    Took

	looked map[uint32]conn.Settings // by network namespace: those that were looked into
	hidden bool                     // there may be others
}

// Unseen says that the network namespace may be there, but was not looked into:
// its processes are hidden, or it may not be entered.
func (l *List) Unseen(netns uint32) bool {
	_, looked := l.looked[netns]
	return l.hidden && !looked
}

// Lack is something that could not be had, and for how many sockets.
type Lack struct {
	What    string // "settings of sockets that no process holds"
	Sockets int    // 0: whole namespaces
}

// Took says how long the parts of a Snapshot took. Owners and Sockets run at once.
type Took struct {
	Sockets  time.Duration // the kernel's list
	Owners   time.Duration // the scan of all descriptors
	Scanned  string        // how: "task_file", a BPF iterator, or "/proc"
	Settings time.Duration // asking each socket (Netlink only)
	All      time.Duration
}

// Lister makes lists, one after the other: what it loads, it loads once.
type Lister struct {
	o   Options
	src *source
}

// Open chooses the method and loads what it needs. An error that wraps
// loader.ErrUnsupported says that Options.Method cannot be had here.
func Open(o Options) (*Lister, error) {
	src, err := openSource(o)
	if err != nil {
		return nil, err
	}
	return &Lister{o, src}, nil
}

// Close gives everything back.
func (r *Lister) Close() { r.src.close() }

// Snapshot makes one list.
func Snapshot(ctx context.Context, o Options) (*List, error) {
	r, err := Open(o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Snapshot(ctx)
}

// Snapshot lists the TCP sockets. Where a fact cannot be had for want of
// privileges the list is made without it, and Lacks says so.
func (r *Lister) Snapshot(ctx context.Context) (*List, error) {
	begun := time.Now()
	o, src := &r.o, r.src
	l := &List{Time: begun.UTC(), Method: src.method, Passed: src.passed}
	if o.Ports {
		l.Ports = group.NewPorts()
		l.Ports.AllListeners = true
	}
	spaces, wanted, hidden, err := o.spaces()
	if err != nil {
		return nil, err
	}
	own, err := here()
	if err != nil {
		return nil, err
	}
	l.Netns = own.inum
	type scanned struct {
		table *owner.Table
		err   error
	}
	owners := make(chan scanned, 1)
	go func() {
		t, err := src.owners.Scan(ctx)
		l.Took.Owners, l.Took.Scanned = time.Since(begun), src.owners.Way()
		owners <- scanned{t, err}
	}()
	g := gatherer{ctx: ctx, o: o, src: src, list: l, begun: begun, sysctls: map[uint32]conn.Settings{}, inodes: map[uint64]bool{}}
	if hidden {
		g.lack("network namespaces of hidden processes ("+loader.Advice(unix.CAP_SYS_PTRACE)+")", 0)
	}
	for _, ns := range spaces {
		err = errors.Join(err, g.namespace(ns))
	}
	l.Took.Sockets = time.Since(begun)
	found := <-owners
	if err := cmp.Or(found.err, err); err != nil {
		return nil, err
	}
	// Namespaces that only descriptors refer to.
	for inum, path := range found.table.Netns {
		if wanted != nil && wanted(inum) && !g.seen(inum) {
			if err := g.namespace(namespace{inum, path}); err != nil {
				return nil, err
			}
		}
	}
	if len(o.Filter.Netns) > 0 && len(g.sysctls) == 0 {
		return nil, g.notFound(o.Filter.Netns[0], hidden)
	}
	l.Sockets = once(l.Sockets)
	asked := time.Now()
	g.owners(found.table)
	if src.method == Netlink {
		g.settings()
		l.Took.Settings = time.Since(asked)
	}
	hz, err := jiffies.Read()
	if err != nil {
		return nil, err
	}
	for i := range l.Sockets {
		l.Sockets[i].foresee(hz)
	}
	l.looked, l.hidden = g.sysctls, hidden || g.refused
	l.Took.All = time.Since(begun)
	return l, ctx.Err()
}

// spaces lists the namespaces to look into; wanted says which others are
// wanted, nil: none; hidden, that there may be more.
func (o *Options) spaces() (_ []namespace, wanted func(uint32) bool, hidden bool, err error) {
	if !o.AllNetns && len(o.Filter.Netns) == 0 {
		own, err := here()
		return []namespace{own}, nil, false, err
	}
	wanted = func(inum uint32) bool {
		return len(o.Filter.Netns) == 0 || slices.Contains(o.Filter.Netns, inum)
	}
	all, hidden, err := namespaces()
	return slices.DeleteFunc(all, func(ns namespace) bool { return !wanted(ns.inum) }), wanted, hidden, err
}
