// SPDX-License-Identifier: BSD-2-Clause

// Package owner says who holds a socket. The keepalive timer fires in softirq,
// where the current task is whoever was interrupted; only the socket knows, and
// what it knows is its inode number. The Resolver finds the process that has
// socket:[inode] among its descriptors, and its cgroup and container.
//
// Sockets of all network namespaces have their inodes in one file system
// (sockfs), so the number alone identifies a socket, whatever its namespace.
package owner

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/near"
)

// Options tune a Resolver. The zero value is good.
type Options struct {
	MaxSockets int           // sockets remembered, some 30 bytes each; 0: 1,048,576
	MinPause   time.Duration // between two scans that look for an unknown socket; 0: 1 s
	Period     time.Duration // between two scans when nobody asks; 0: 10 s
	Names      *Names        // of pods and containers; nil: none
	Scanned    func()        // called after each whole scan, by the goroutine that scans; nil: nothing is

	// list replaces the scans in tests.
	list func(yield func(found) bool) error
}

// Resolver finds the owners of sockets from a cache that a goroutine of its
// own fills by going through all descriptors: by a BPF iterator where that can
// be had, otherwise in /proc. Safe for concurrent use.
type Resolver struct {
	opts    Options
	start   time.Time
	cgroups *cgroups
	checks  checks
	files   *files // nil: /proc

	mu        sync.RWMutex           // held for microseconds only
	sockets   near.Table[place]      // by inode number
	procs     []*process             // by place.index; nil: free
	scanned   time.Duration          // the last whole scan's begin, since the start
	unknown   map[want]time.Duration // scanned for in vain: not again before
	listeners *Listeners             // as of the last scan; not changed any more

	missMu   sync.Mutex
	missed   map[want]bool // looked for by the next scan; true: what was known of it is wrong
	hurried  bool          // the next scan, and the one under way, make no pauses
	scanning bool          // one is under way
	quick    time.Duration // what a scan takes that nothing disturbs, as far as is known
	owed     time.Duration // when all rest that scans are due has been taken, since the start
	cost     atomic.Int64  // of the last scan, a time.Duration
	wake     chan struct{}
	hurry    chan struct{}
	idle     atomic.Bool // no process is looked after, because nobody asks
	asks     chan struct{}

	first, stop, done chan struct{} // first: the first scan is done; until then most owners are unknown
	scans             atomic.Uint64 // whole ones
}

// want is what is looked for: the holder of a socket, or the sockets that listen.
type want struct {
	inode     uint64
	listening listeningAt
}

// place is the descriptor by which a socket is held. A million of them are kept,
// so they are small and without a pointer for the garbage collector to follow.
type place struct {
	proc uint32 // index of the process, and the number of the scan that found it
	fd   int32
}

// A pid has 22 bits at most (PID_MAX_LIMIT), and so many processes there can be.
const (
	indexBits = 22
	maxProcs  = 1 << indexBits
	scanMask  = 1<<(32-indexBits) - 1
)

func newPlace(index, scan uint32, fd int32) place { return place{scan<<indexBits | index, fd} }

func (p place) index() uint32 { return p.proc & (maxProcs - 1) }
func (p place) scan() uint32  { return p.proc >> indexBits }

const (
	checksPerSecond = 2000 // at the most
	// believed is how long after a scan its answers are given unchecked, where
	// the stream is too fast for checks. An inode number is used again after 2^32
	// others (get_next_ino), which takes far longer.
	believed = 5 * time.Minute
	// unknownFor is how long a socket that a scan did not find is not looked for.
	unknownFor = 30 * time.Second

	maxMissed  = 1 << 14
	maxUnknown = 1 << 16
)

// New starts a Resolver, and with it the first scan. What it needs capabilities
// for beyond those that looking at processes needs, it has done on return.
func New(o Options) *Resolver {
	if o.MaxSockets == 0 {
		o.MaxSockets = 1 << 20
	}
	if o.MinPause == 0 {
		o.MinPause = time.Second
	}
	if o.Period == 0 {
		o.Period = 10 * time.Second
	}
	r := &Resolver{
		opts:      o,
		start:     time.Now(),
		cgroups:   newCgroups("/proc/self/mountinfo"),
		checks:    checks{limit: checksPerSecond},
		listeners: &Listeners{},
		unknown:   map[want]time.Duration{},
		missed:    map[want]bool{},
		wake:      make(chan struct{}, 1),
		hurry:     make(chan struct{}, 1),
		asks:      make(chan struct{}, 1),
		first:     make(chan struct{}),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	if o.list == nil {
		r.files, _ = openFiles() // without it /proc serves
	}
	go r.run()
	return r
}

// Close ends the scanning.
func (r *Resolver) Close() {
	close(r.stop)
	<-r.done
	r.cgroups.close()
	if r.files != nil {
		r.files.close()
	}
}

func (r *Resolver) now() time.Duration { return time.Since(r.start) }

// lookup says which process holds the socket with that inode number, and whether
// a scan will look for it. It never waits: what it does not know it has looked up
// later, at a bounded rate, and says nil now. It does not allocate.
//
// Where several processes hold the socket (after a fork) it is the oldest of
// them by start time, then by pid: the parent. An answer is checked against
// /proc first unless there are too many for that (checks); a process that has
// ended, or has closed the socket, is no answer.
func (r *Resolver) lookup(inode uint64, now time.Duration) (_ *process, asked bool) {
	if inode == 0 || inode > math.MaxUint32 {
		return nil, false // an orphan: nobody holds it; or what get_next_ino gives no socket
	}
	var p *process
	r.mu.RLock()
	at, hit := r.sockets.Get(inode)
	if hit {
		p = r.procs[at.index()]
	}
	scanned := r.scanned
	r.mu.RUnlock()
	w := want{inode: inode}
	switch {
	case !hit:
		return nil, r.miss(w, false, now)
	case p.gone.Load():
		return nil, r.miss(w, true, now)
	case r.checks.take(now):
		if (found{inode: inode, pid: p.pid, task: p.holder.task, fd: at.fd, by: p.holder.by}).letGo() {
			return nil, r.miss(w, true, now)
		}
	case now-scanned > believed:
		return nil, r.miss(w, true, now)
	case !p.asked.Load():
		p.asked.Store(true)
		if r.idle.Load() {
			select {
			case r.asks <- struct{}{}:
			default:
			}
		}
	}
	return p, false
}

// queued finds the process that listens where a connection waits to be accepted:
// nil where that is not known, or where several listen alike.
func (r *Resolver) queued(e *events.Event, now time.Duration) (owner *process, asked bool) {
	r.mu.RLock()
	listeners := r.listeners
	r.mu.RUnlock()
	n, several := 0, false
	listeners.Find(e.Netns, e.Family, e.Local, func(inode uint64) {
		p, a := r.lookup(inode, now)
		asked = asked || a
		several = several || n > 0 && (p == nil || owner == nil || p.procKey != owner.procKey)
		owner, n = p, n+1
	})
	switch {
	case n == 0:
		at := listeningAt{e.Netns, e.Local.Port()}
		return nil, r.miss(want{listening: at}, len(listeners.at[at]) > 0, now)
	case several:
		return nil, asked
	}
	return owner, asked
}

// miss has it looked for by the next scan, unless one has done so in vain. wrong: what
// the last one found of it is.
func (r *Resolver) miss(w want, wrong bool, now time.Duration) bool {
	r.mu.RLock()
	until := r.unknown[w]
	r.mu.RUnlock()
	if now < until {
		return false
	}
	r.missMu.Lock()
	if len(r.missed) < maxMissed {
		r.missed[w] = wrong || r.missed[w]
	}
	r.missMu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return true
}

// Fill sets who owns the event's socket, as far as it is known: Process and
// HeldBy, and where they are not set, Cgroup, Container and Pod, of the socket's
// own cgroup or else of the process's, and the names of these. asked says that a scan will look for what
// is not known. at is the time, some milliseconds ago at the most.
//
// The socket's own needs CAP_DAC_READ_SEARCH. One that is not cached costs three
// system calls, at most 500 times a second.
func (r *Resolver) Fill(e *events.Event, at time.Time) (asked bool) {
	now := at.Sub(r.start)
	if e.Cgroup == "" && e.CgroupID != 0 {
		path, in := r.cgroups.find(e.CgroupID, now)
		e.Cgroup, e.Container, e.Pod = path, in.ID, in.PodUID
	}
	var p *process
	switch {
	case e.HeldBy == conn.HeldByKernel:
	case e.Inode != 0:
		if p, asked = r.lookup(e.Inode, now); p != nil {
			p.name(e)
		}
	case e.Unaccepted():
		if p, asked = r.queued(e, now); p != nil {
			p.name(e)
		}
		e.HeldBy = conn.HeldByAcceptQueue
	}
	// The root says nothing: the socket's cgroup is known by cgroup v2 only,
	// and under v1 that is where everything is.
	if p != nil && (e.Cgroup == "" || e.Cgroup == "/") {
		e.Cgroup, e.Container, e.Pod = p.cgroup, p.container.ID, p.container.PodUID
	}
	r.opts.Names.Fill(&e.Owner)
	return asked
}
