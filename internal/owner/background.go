// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"math"
	"slices"
	"time"
)

// The scanning goroutine's share of a core: within a scan it works in slices
// with pauses, so that a stream beside it is not starved, and after it rests.
// The pauses are short because kernels before 5.11 keep a process's descriptors
// open, if it ends, while the iterator stands at it.
const (
	slice      = 2 * time.Millisecond
	slicePause = 10 * time.Millisecond
	restOnMiss = 10 // times what the scan cost
	restIdle   = 4000
	checkEvery = time.Second
	// inHurry is how much rest scans that are in a hurry may leave out for the
	// time being: a tenth of it is spent in scanning.
	inHurry = time.Second
)

// background is the scanning goroutine's own state.
type background struct {
	*Resolver
	list    func(yield func(found) bool) error
	way     string
	by      map[holder]uint32 // index of the processes that hold sockets
	free    []uint32          // indexes below len(procs) that are not used
	number  uint32            // of the scan
	batch   []found           // of one table
	reader  reader
	listens *Listeners      // found by this scan
	netns   map[uint32]bool // where listeners are looked for in /proc
	pace    time.Time       // the current slice's begin; zero: no pauses
	paused  time.Duration   // in this scan
	stopped bool
}

// reader is where the scan is at.
type reader struct {
	holder  holder
	read    bool
	index   uint32
	process *process // nil: it has ended
}

func (r *Resolver) run() {
	defer close(r.done)
	b := &background{Resolver: r, by: map[holder]uint32{}, way: way(r.files), netns: map[uint32]bool{}}
	switch {
	case r.opts.list != nil:
		b.list = r.opts.list
	case r.files != nil:
		b.list = r.files.each
	default:
		b.list = newProcFS().each
	}
	b.scan() // at full speed
	close(r.first)
	last := time.Now()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var due <-chan time.Time // when the next scan for a missed socket is allowed
	for !b.stopped {
		cost := time.Duration(r.cost.Load())
		select {
		case <-r.stop:
			return
		case <-r.wake:
			if due == nil {
				due = time.After(max(r.opts.MinPause, restOnMiss*cost) - time.Since(last))
			}
			continue
		case <-r.hurry:
			due = time.After(r.rested())
			continue
		case <-r.asks:
			r.idle.Store(false)
			tick.Reset(checkEvery)
			continue
		case <-due:
			if due = nil; !b.lacks() {
				continue
			}
		case <-tick.C:
			// Who asks from here on says so: what is asked behind the check is not missed.
			was := r.idle.Swap(true)
			switch asked := b.checkProcesses(); {
			case asked:
				r.idle.Store(false)
				tick.Reset(checkEvery)
			case !was:
				tick.Reset(max(checkEvery, r.opts.Period))
			}
			if time.Since(last) < max(r.opts.Period, restIdle*cost) {
				continue
			}
		}
		b.pace = time.Now()
		b.scan()
		due = nil
		last = time.Now()
	}
}

// lacks says whether anything is still to be looked for: what was asked for while a scan
// was under way, that one may have found.
func (b *background) lacks() bool {
	b.missMu.Lock()
	defer b.missMu.Unlock()
	for w, wrong := range b.missed {
		_, known := b.sockets.Get(w.inode) // only this goroutine writes them
		if w.inode == 0 {
			_, known = b.listeners.at[w.listening]
		}
		if wrong || !known {
			return true
		}
		delete(b.missed, w)
	}
	b.hurried = false
	return false
}

// scan goes through all descriptors once.
func (b *background) scan() {
	begun, beganAt := time.Now(), b.now()
	b.paused = 0
	b.missMu.Lock()
	missed := b.missed
	b.missed = map[want]bool{}
	if b.hurried {
		b.pace, b.hurried = time.Time{}, false
	}
	b.scanning = true
	b.missMu.Unlock()

	err := b.walk(missed)
	if err != nil && b.way != "/proc" {
		b.list, b.way = newProcFS().each, "/proc" // for good
		err = b.walk(missed)
	}
	cost := max(0, time.Since(begun)-b.paused)
	b.missMu.Lock()
	b.scanning = false
	if b.quick = min(b.quick+b.quick/4, cost); b.quick == 0 {
		b.quick = cost
	}
	b.owed = max(b.owed, b.now()) + restOnMiss*cost
	b.missMu.Unlock()
	b.cost.Store(int64(cost))
	if err != nil || b.stopped {
		return // what is known stays
	}
	b.sweep()
	b.giveUp(missed)
	b.mu.Lock()
	b.scanned = beganAt
	b.mu.Unlock()
	b.scans.Add(1)
	if b.opts.Scanned != nil {
		b.opts.Scanned()
	}
}

// walk enters all that is held now.
func (b *background) walk(missed map[want]bool) error {
	b.number = (b.number + 1) & scanMask
	b.batch = b.batch[:0]
	b.reader, b.listens = reader{}, &Listeners{}
	err := b.list(func(f found) bool {
		if f.inode == 0 || f.inode > math.MaxUint32 {
			return true // a namespace; or no inode number of a socket
		}
		if f.listens != nil {
			b.listens.Add(*f.listens)
		}
		if h := f.holder(); h != b.reader.holder {
			b.flush()
			b.reader = reader{holder: h}
		}
		if b.batch = append(b.batch, f); len(b.batch) == 512 {
			b.flush()
		}
		return !b.stopped
	})
	b.flush()
	if err == nil && b.way == "/proc" && !b.stopped {
		b.readListeners(missed)
	}
	return err
}

// flush enters the batch, and rests if the slice is over.
func (b *background) flush() {
	select {
	case <-b.stop:
		b.stopped = true
		return
	default:
	}
	if len(b.batch) > 0 {
		if !b.reader.read {
			b.reader.read = true
			b.reader.index, b.reader.process = b.process(b.reader.holder)
		}
		if b.reader.process != nil {
			b.store()
		}
		b.batch = b.batch[:0]
	}
	if b.pace.IsZero() || time.Since(b.pace) < slice || b.isHurried() {
		return
	}
	pause := time.Now()
	select {
	case <-b.stop:
		b.stopped = true
	case <-time.After(slicePause):
	}
	b.pace = time.Now()
	b.paused += b.pace.Sub(pause)
}

// process is the process of that holder and its index, the one known before if
// nothing changed; nil if it has ended: what it held is found by the next scan,
// with whom it is.
func (b *background) process(h holder) (uint32, *process) {
	p, err := readProcess(h)
	if err != nil {
		return 0, nil
	}
	p.scan = b.number
	index, known := b.by[h]
	if known {
		old := b.procs[index] // only this goroutine writes them
		if old.procKey != p.procKey {
			old.gone.Store(true) // the pid is another's now
			known = false
		} else if old.comm == p.comm && old.cgroup == p.cgroup {
			old.scan = b.number
			return index, old
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n := len(b.free); {
	case known: // it calls itself otherwise, or is elsewhere
	case n > 0:
		index, b.free = b.free[n-1], b.free[:n-1]
	case len(b.procs) == maxProcs:
		return 0, nil
	default:
		index = uint32(len(b.procs))
		b.procs = append(b.procs, nil)
	}
	b.procs[index], b.by[h] = p, index
	return index, p
}

// store enters the batch. Of several holders of a socket that a scan finds the
// oldest is its owner.
func (b *background) store() {
	p, index := b.reader.process, b.reader.index
	bigger, grown := b.sockets.Grown(len(b.batch)) // without the lock: only this goroutine writes it
	b.mu.Lock()
	defer b.mu.Unlock()
	if grown {
		b.sockets = bigger
	}
	for _, f := range b.batch {
		at, ok := b.sockets.Get(f.inode)
		switch {
		case !ok && b.sockets.Len() >= b.opts.MaxSockets:
			continue // for want of room
		case ok && at.scan() == b.number:
			if other := b.procs[at.index()]; !other.gone.Load() && !p.before(other) {
				continue
			}
		}
		b.sockets.Put(f.inode, newPlace(index, b.number, f.fd))
	}
}

// sweep forgets the sockets that the scan did not find, and then the processes.
// Only this goroutine writes the map, so going through it needs no lock.
func (b *background) sweep() {
	var stale []uint64
	for inode, at := range b.sockets.All() {
		if at.scan() != b.number {
			stale = append(stale, inode)
		}
	}
	for some := range slices.Chunk(stale, 512) {
		b.mu.Lock()
		for _, inode := range some {
			b.sockets.Delete(inode)
		}
		b.mu.Unlock()
	}
	if smaller, shrunk := b.sockets.Shrunk(); shrunk {
		b.mu.Lock()
		b.sockets = smaller
		b.mu.Unlock()
	}
	for index, p := range b.procs {
		if p == nil || p.scan == b.number {
			continue
		}
		p.gone.Store(true)
		if b.by[p.holder] == uint32(index) {
			delete(b.by, p.holder)
		}
		b.mu.Lock()
		b.procs[index] = nil // nothing refers to it any more
		b.mu.Unlock()
		b.free = append(b.free, uint32(index))
	}
}

// giveUp remembers which of the sockets that were asked for before the scan it
// did not find. The maps are read without the lock: only this goroutine writes them.
func (b *background) giveUp(missed map[want]bool) {
	now := b.now()
	unknown := make(map[want]time.Duration, len(missed))
	for w := range missed {
		if _, ok := b.sockets.Get(w.inode); ok {
			continue
		}
		if _, ok := b.listens.at[w.listening]; ok {
			continue
		}
		unknown[w] = now + unknownFor
	}
	for w, until := range b.unknown {
		if len(unknown) < maxUnknown && now < until {
			unknown[w] = until
		}
	}
	b.mu.Lock()
	b.unknown, b.listeners = unknown, b.listens
	b.mu.Unlock()
}

// checkProcesses finds out which of the processes that were given as an
// unchecked answer have ended; false: none was given.
func (b *background) checkProcesses() (asked bool) {
	for _, p := range b.procs {
		if p == nil || !p.asked.Swap(false) {
			continue
		}
		asked = true
		if st, err := readStat(p.pid); isGone(err) || err == nil && st.start != p.start {
			p.gone.Store(true)
		}
	}
	return asked
}
