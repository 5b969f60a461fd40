// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"sync/atomic"
	"time"
)

// Stats say what the scanning costs.
type Stats struct {
	Scans    uint64        // of /proc/*/fd
	Spent    time.Duration // time spent in them, pauses not counted
	Sockets  int           // remembered
	Overflow uint64        // sockets not remembered for want of room
}

type counters struct {
	scans, spent, overflow atomic.Uint64
}

// Stats tells what the scanning has cost so far.
func (r *Resolver) Stats() Stats {
	r.mu.RLock()
	n := len(r.sockets)
	r.mu.RUnlock()
	return Stats{r.stats.scans.Load(), time.Duration(r.stats.spent.Load()), n, r.stats.overflow.Load()}
}

// The scanning goroutine's share of a core: within a scan it works in slices
// with pauses, so that a stream beside it is not starved, and after it rests.
const (
	slice      = 10 * time.Millisecond
	slicePause = 40 * time.Millisecond
	restOnMiss = 10 // times what the scan cost
	restIdle   = 50
	checkEvery = time.Second
)

// background is the scanning goroutine's own state.
type background struct {
	*Resolver
	scanner scanner
	procs   map[int]*process // those that hold sockets
	number  uint16           // of the scan
	batch   []found
	pace    time.Time // the current slice's begin; zero: no pauses
	stopped bool
}

type found struct {
	inode uint64
	fd    int32
}

func (r *Resolver) run() {
	defer close(r.done)
	b := &background{Resolver: r, scanner: scanner{root: "/proc"}, procs: map[int]*process{}}
	b.scan() // at full speed
	close(r.first)
	last, cost := time.Now(), time.Duration(r.stats.spent.Load())
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var due <-chan time.Time // when the next scan for a missed socket is allowed
	for !b.stopped {
		select {
		case <-r.stop:
			return
		case <-r.wake:
			if due == nil {
				due = time.After(max(r.opts.MinPause, restOnMiss*cost) - time.Since(last))
			}
			continue
		case <-due:
		case <-tick.C:
			b.checkProcesses()
			if time.Since(last) < max(r.opts.Period, restIdle*cost) {
				continue
			}
		}
		before := r.stats.spent.Load()
		b.pace = time.Now()
		b.scan()
		due = nil
		last, cost = time.Now(), time.Duration(r.stats.spent.Load()-before)
	}
}

// scan goes through all processes once, the oldest first.
func (b *background) scan() {
	begun, paused := time.Now(), time.Duration(0)
	rest := func() {
		if b.pace.IsZero() || time.Since(b.pace) < slice {
			return
		}
		select {
		case <-b.stop:
			b.stopped = true
		case <-time.After(slicePause):
		}
		paused += time.Since(b.pace) - slice
		b.pace = time.Now()
	}
	b.missMu.Lock()
	missed := b.missed
	b.missed = map[uint64]struct{}{}
	b.missMu.Unlock()

	keys, err := b.scanner.pids()
	if err != nil {
		return // no /proc: nothing can be known
	}
	b.number++
	procs := make(map[int]*process, len(b.procs))
	for _, key := range keys {
		if b.stopped {
			return
		}
		b.batch = b.batch[:0]
		var p *process
		flush := func() {
			if len(b.batch) == 0 {
				return
			}
			if p == nil {
				p = b.process(key)
				procs[key.pid] = p
			}
			b.store(p)
			rest()
		}
		// A process that cannot be read, or ends meanwhile, has what was seen so far.
		_ = b.scanner.sockets(key.pid, func(fd int32, inode uint64) {
			if b.batch = append(b.batch, found{inode, fd}); len(b.batch) == 512 {
				flush()
			}
		})
		flush()
		rest()
	}
	for pid, p := range b.procs {
		if procs[pid] == nil || procs[pid].procKey != p.procKey {
			p.gone.Store(true)
		}
	}
	b.procs = procs
	b.sweep()
	b.giveUp(missed)
	b.stats.scans.Add(1)
	b.stats.spent.Add(uint64(max(0, time.Since(begun)-paused)))
}

// process is the process with that key, the one known before if nothing changed.
func (b *background) process(key procKey) *process {
	old := b.procs[key.pid]
	p, err := readProcess(b.scanner.root, key.pid)
	if err != nil || p.procKey != key {
		// It has ended; its sockets are found by the next scan, with whom they are.
		p = &process{procKey: key}
		p.gone.Store(true)
		return p
	}
	if old != nil && old.procKey == key && old.comm == p.comm && old.cgroup == p.cgroup {
		return old
	}
	return p
}

// store enters what the process holds. The first process of a scan that holds
// a socket is its owner; a descriptor seen twice in one process counts once.
func (b *background) store(p *process) {
	seen := uint32(b.now() / time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.batch {
		h, ok := b.sockets[f.inode]
		switch {
		case ok && h.scan == b.number && h.last == int32(p.pid):
			continue
		case ok && h.scan == b.number && !h.proc.gone.Load():
			h.holders, h.last = h.holders+1, int32(p.pid)
		case !ok && len(b.sockets) >= b.opts.MaxSockets:
			b.stats.overflow.Add(1)
			continue
		default:
			h = holder{proc: p, fd: f.fd, seen: seen, last: int32(p.pid), holders: 1, scan: b.number}
		}
		b.sockets[f.inode] = h
	}
	b.batch = b.batch[:0]
}

// sweep forgets the sockets that the scan did not find. Only this goroutine
// writes the map, so going through it needs no lock.
func (b *background) sweep() {
	var stale []uint64
	drop := func() {
		b.mu.Lock()
		for _, inode := range stale {
			delete(b.sockets, inode)
		}
		b.mu.Unlock()
		stale = stale[:0]
	}
	for inode, h := range b.sockets {
		if h.scan != b.number {
			if stale = append(stale, inode); len(stale) == 512 {
				drop()
			}
		}
	}
	drop()
}

// giveUp remembers which of the sockets that were asked for before the scan it
// did not find. The maps are read without the lock: only this goroutine writes them.
func (b *background) giveUp(missed map[uint64]struct{}) {
	now := b.now()
	unknown := make(map[uint64]time.Duration, len(missed))
	for inode := range missed {
		if _, ok := b.sockets[inode]; !ok {
			unknown[inode] = now + unknownFor
		}
	}
	for inode, until := range b.unknown {
		if len(unknown) < maxUnknown && now < until {
			unknown[inode] = until
		}
	}
	b.mu.Lock()
	b.unknown = unknown
	b.mu.Unlock()
}

// checkProcesses finds out which of the processes that were given as an
// unchecked answer have ended.
func (b *background) checkProcesses() {
	for pid, p := range b.procs {
		if !p.asked.Swap(false) {
			continue
		}
		if st, err := readStat(b.scanner.root, pid); isGone(err) || err == nil && st.start != p.start {
			p.gone.Store(true)
		}
	}
}
