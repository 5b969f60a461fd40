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
	"sync"
	"time"

	"katrace/internal/events"
)

// Options tune a Resolver. The zero value is good.
type Options struct {
	MaxSockets int           // sockets remembered, about 50 bytes each; 0: 1,048,576
	MinPause   time.Duration // between two scans that look for an unknown socket; 0: 1 s
	Period     time.Duration // between two scans when nobody asks; 0: 10 s
}

// Resolver finds the owners of sockets from a cache that a goroutine of its
// own fills by scanning /proc/*/fd. Safe for concurrent use.
type Resolver struct {
	opts    Options
	start   time.Time
	cgroups *cgroups
	checks  budget

	mu      sync.RWMutex // held for microseconds only
	sockets map[uint64]holder
	unknown map[uint64]time.Duration // scanned for in vain: not again before

	missMu sync.Mutex
	missed map[uint64]struct{}
	wake   chan struct{}

	first, stop, done chan struct{}
	stats             counters
}

// holder is the descriptor by which a socket is held.
type holder struct {
	proc    *process
	fd      int32
	seen    uint32 // second of the scan, since the start
	last    int32  // pid of the holder counted last
	holders uint16 // processes that hold the socket
	scan    uint16
}

const (
	// checksPerSecond is how many answers a second are held against /proc
	// before they are given: a few µs each. A slow stream has each of its
	// answers checked.
	checksPerSecond = 2000
	// believed is how long an answer is given unchecked where the stream is
	// too fast for checks. An inode number is used again after 2^32 others
	// (get_next_ino), which takes far longer.
	believed = 2 * time.Minute
	// unknownFor is how long a socket that a scan did not find is not looked for.
	unknownFor = 30 * time.Second

	maxMissed  = 1 << 14
	maxUnknown = 1 << 16
)

// New starts a Resolver, and with it the first scan.
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
		opts:    o,
		start:   time.Now(),
		cgroups: newCgroups("/proc/self/mountinfo"),
		checks:  budget{limit: checksPerSecond},
		sockets: map[uint64]holder{},
		unknown: map[uint64]time.Duration{},
		missed:  map[uint64]struct{}{},
		wake:    make(chan struct{}, 1),
		first:   make(chan struct{}),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	go r.run()
	return r
}

// Close ends the scanning.
func (r *Resolver) Close() {
	close(r.stop)
	<-r.done
	r.cgroups.close()
}

// Ready is closed when the first scan is done: until then most owners are
// unknown.
func (r *Resolver) Ready() <-chan struct{} { return r.first }

func (r *Resolver) now() time.Duration { return time.Since(r.start) }

// Lookup says which process holds the socket with that inode number. It never
// waits: what it does not know it has looked up later, at a bounded rate, and
// says false now. It does not allocate.
//
// Where several processes hold the socket (after a fork) it is the oldest of
// them by start time, then by pid: the parent. Holders counts them. A thread
// that does not share its process's descriptors (unshare(CLONE_FILES)) is not
// seen. An answer is checked against /proc first unless there are more than
// 2,000 a second; a process that has ended, or has closed the socket, is no
// answer.
func (r *Resolver) Lookup(inode uint64) (events.Process, bool) {
	p := r.lookup(inode)
	if p == nil {
		return events.Process{}, false
	}
	return events.Process{PID: p.pid, Comm: p.comm}, true
}

// Holders is how many processes held the socket at the last scan.
func (r *Resolver) Holders(inode uint64) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return int(r.sockets[inode].holders)
}

func (r *Resolver) lookup(inode uint64) *process {
	if inode == 0 {
		return nil // an orphan: nobody holds it
	}
	now := r.now()
	r.mu.RLock()
	h, hit := r.sockets[inode]
	var until time.Duration
	if !hit {
		until = r.unknown[inode]
	}
	r.mu.RUnlock()
	switch {
	case !hit:
		if now >= until {
			r.miss(inode)
		}
		return nil
	case h.proc.gone.Load():
		r.miss(inode)
		return nil
	case r.checks.take(now):
		if !holds(h.proc.pid, h.fd, inode) {
			r.miss(inode)
			return nil
		}
	case now-time.Duration(h.seen)*time.Second > believed:
		r.miss(inode)
		return nil
	case !h.proc.asked.Load():
		h.proc.asked.Store(true)
	}
	return h.proc
}

// miss has the socket looked for by the next scan.
func (r *Resolver) miss(inode uint64) {
	r.missMu.Lock()
	if len(r.missed) < maxMissed {
		r.missed[inode] = struct{}{}
	}
	r.missMu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Fill sets who owns the event's socket, as far as it is known: Process, and,
// where they are not set, Cgroup and Container.
func (r *Resolver) Fill(e *events.Event) {
	if p := r.lookup(e.Inode); p != nil {
		e.Process = events.Process{PID: p.pid, Comm: p.comm}
		// The root says nothing: the socket's cgroup is known by cgroup v2 only,
		// and under v1 that is where everything is.
		if e.Cgroup == "" || e.Cgroup == "/" {
			e.Cgroup, e.Container = p.cgroup, p.container.ID
		}
	}
	if e.Container == "" && e.Cgroup != "" {
		e.Container = ParseContainer(e.Cgroup).ID
	}
}

// CgroupPath is the path of the cgroup v2 with that id, as /proc/PID/cgroup
// shows it. It needs CAP_DAC_READ_SEARCH. What is not cached costs three system
// calls, at most 500 times a second; it never waits.
func (r *Resolver) CgroupPath(id uint64) (string, bool) {
	return r.cgroups.path(id, r.now())
}
