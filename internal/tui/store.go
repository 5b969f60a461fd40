// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"sync"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
	"katrace/internal/incident"
	"katrace/internal/mirror"
)

// Store aggregates events for the view. It is an events.Sink: Event is called
// by the reader of the stream, everything else by the view.
type Store struct {
	opt Options

	mu      sync.Mutex
	alikes  alikes
	byConn  hashed[conn.ID, entry] // the latest connection of each tuple
	conns   []*entry               // all that are kept, in no order
	ended   endedQueue
	unseen  int // those that a listing alone shows: no event of them came
	listing listingState
	counts  [numClasses]int
	notes   notes
	records int // records in all stories, kept or room for them
	nextID  uint64
	log     logRing
	told    *group.Ports // which ports are services', as far as the connections tell
	watch   *incident.Watch
	join    *mirror.Join // of the ends of connections; nil: there is one host

	total     uint64      // events since the start
	lost      events.Lost // since the start
	refused   uint64      // events about connections beyond MaxConns
	dismissed uint64      // ended connections dropped for MaxEnded
	clock     nanos       // the latest event's time
	begun     nanos       // the first event's time
	swept     nanos       // when stale connections were last looked for

	between func() // for tests: called while breathe has given up the lock

	// For Snapshot, which one goroutine calls.
	rate   rate
	sorter sorter
}

// NewStore makes an empty Store.
func NewStore(opt Options) *Store {
	opt = opt.withDefaults()
	s := &Store{opt: opt, byConn: newHashed((*entry).ID, func(c *entry) **entry { return &c.alias }), log: newLogRing(opt.MaxLog), told: group.NewPorts(), alikes: newAlikes(), watch: incident.New()}
	if opt.Hosts {
		s.join = mirror.New()
	}
	return s
}

// Finish says that no more events come.
func (s *Store) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.join != nil {
		s.join.Finish()
	}
}

// otherSide is what the recording of the other host says of the connection's
// silence; "": there is none, or nothing is joined.
func (s *Store) otherSide(id conn.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.join == nil {
		return ""
	}
	finding, _ := s.join.Silence(id)
	return finding.Words()
}

// Flush is a no-op: the view shows what there is on its own tick.
func (s *Store) Flush() error { return nil }

// Wants says which events it takes though the user did not ask for them: a row
// goes when its connection closes.
func (s *Store) Wants(e *events.Event, _ bool) bool { return e.Kind == events.KindClosed }

// Event takes one event. It never fails.
func (s *Store) Event(e *events.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	s.clock = max(s.clock, e.Time.UnixNano())
	if s.begun == 0 {
		s.begun = e.Time.UnixNano()
	}
	var logged *events.Event
	if !s.opt.Untold {
		logged = s.log.add(e, s.total)
	}
	if s.join != nil {
		s.join.Add(e)
	}
	defer s.lookOut(e.Time.UnixNano())
	switch e.Kind {
	case events.KindStart, events.KindHeartbeat, events.KindStop:
		return nil
	case events.KindLost:
		s.lost = s.lost.Plus(e.Lost)
		return nil
	case events.KindClosed:
		s.listing.close(e.ID(), s.opt.MaxListed)
		if c := s.byConn.get(e.ID()); c != nil && !c.ended && !reused(c, e) {
			c.lendOwner(logged)
			s.drop(c)
		}
		return nil
	case events.KindSet:
		if c := s.byConn.get(e.ID()); c != nil && c.seen && !c.ended && !reused(c, e) {
			c.set(e.Set, &s.alikes)
			s.tell(c, e)
			s.reclass(c)
		}
		return nil
	default: // of a connection that has a row, or gets one
	}
	c := s.find(e)
	if c == nil {
		return nil
	}
	if !c.seen {
		s.unseen--
	}
	if s.opt.Untold && c.staysWell(e) {
		c.last = e.Time.UnixNano()
		c.applyTimer(e, c.last)
		return nil
	}
	wasEnded := c.ended
	c.apply(e, &s.alikes)
	c.lendOwner(logged)
	c.slack = s.opt.HZ.Slack(c.plan)
	s.tell(c, e)
	s.reclass(c)
	c.failure = s.watch.Event(c.failure, e, time.Unix(0, c.first))
	if c.ended && !wasEnded {
		s.ended.push(c)
		for len(s.conns) > 0 && s.ended.n > s.opt.MaxEnded {
			s.drop(s.ended.oldest())
			s.dismissed++
		}
	}
	return nil
}

// tell adds the event to the connection's story.
func (s *Store) tell(c *entry, e *events.Event) {
	if !s.opt.Untold {
		s.records += c.story.add(s.newRecord(e, c.Keepalive.Count), s.records < storyBudget)
	}
}

// Other takes an event that the filter leaves out: it may tell of the other end of
// a connection that has a row.
func (s *Store) Other(e *events.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.join != nil {
		s.join.AddOther(e)
	}
}

// find returns the connection that the event is about, a new one if need be,
// or nil if there is no room for it.
func (s *Store) find(e *events.Event) *entry {
	key := e.ID()
	c := s.byConn.get(key)
	switch {
	case c == nil:
	case c.ended && lives(e.Kind):
		// The tuple lives again; what ended stays on the table beside it.
		s.byConn.remove(c)
		c = nil
	case reused(c, e):
		if c.ended {
			s.byConn.remove(c)
		} else {
			s.drop(c) // it must have closed unseen
		}
		c = nil
	}
	if c != nil && c.seen || c == nil && !begins(e) {
		return c
	}
	// The first event of the connection.
	if s.seen() >= s.opt.MaxConns && !s.sweep() {
		s.refused++
		if c != nil {
			s.drop(c) // its row would not be true any more
		}
		return nil
	}
	if c == nil {
		c = s.insert(key)
	}
	return c
}

// lives tells whether an event of the kind is of a connection that has not ended.
func lives(k events.Kind) bool {
	switch k {
	case events.KindProbe, events.KindEnabled, events.KindAnswer, events.KindProbed, events.KindSuspended, events.KindResumed:
		return true
	default:
		return false
	}
}

// seen is the number of live connections of which events came.
func (s *Store) seen() int { return len(s.conns) - s.ended.n - s.unseen }

// insert makes a connection of which nothing is known yet.
func (s *Store) insert(key conn.ID) *entry {
	s.nextID++
	c := &entry{index: int32(len(s.conns)), shown: classWaiting} // its round is 0: new
	c.id, c.Netns, c.Local, c.Remote = s.nextID, key.Netns, key.Local, key.Remote
	c.alike, c.rare = s.alikes.take(common{Host: key.Host}), ordinary
	s.counts[classWaiting]++
	s.unseen++
	s.conns = append(s.conns, c)
	s.byConn.put(c)
	s.told.Add(new(c.state()))
	return c
}

// reclass counts a connection under the class that it has now.
func (s *Store) reclass(c *entry) {
	if now := c.class(); now != c.shown {
		s.counts[c.shown]--
		s.counts[now]++
		c.shown = now
	}
}

// begins tells whether an event alone is worth a row: it shows that the
// connection has keepalive on, or had.
func begins(e *events.Event) bool {
	switch e.Kind {
	case events.KindWindowProbe:
		return false
	case events.KindTimer:
		return e.Reason == events.ReasonDataInFlight || e.Reason == events.ReasonNotIdle || e.Reason == events.ReasonSocketBusy
	default:
		return true
	}
}

// reused tells whether the event's tuple is that of another connection: the
// same addresses and ports, another socket.
func reused(c *entry, e *events.Event) bool {
	return c.Inode != 0 && e.Inode != 0 && c.Inode != e.Inode
}

// drop forgets a connection.
func (s *Store) drop(c *entry) {
	if c.index < 0 {
		return
	}
	last := len(s.conns) - 1
	s.conns[c.index] = s.conns[last]
	s.conns[c.index].index = c.index
	s.conns[last] = nil
	s.conns = s.conns[:last]
	c.index = -1
	s.told.Remove(new(c.state()))
	s.alikes.release(c.alike)
	s.watch.Forget(c.failure, time.Unix(0, s.clock))
	s.counts[c.shown]--
	s.records -= cap(c.story.ring)
	c.story = story{}
	switch {
	case c.ended:
		s.ended.forget()
	case !c.seen:
		s.unseen--
	}
	s.byConn.remove(c)
}

// Bounds for sweep.
const (
	sweepEvery = 10 * time.Second
	staleAfter = time.Hour
)

// sweep drops connections whose timer should have fired long ago, of which
// nothing was heard since: they have closed, and the record of it was lost or
// does not exist. It tells whether there is room now.
func (s *Store) sweep() bool {
	if s.swept != 0 && s.clock-s.swept < int64(sweepEvery) {
		return false
	}
	s.swept = s.clock
	for i := len(s.conns) - 1; i >= 0; i-- {
		if c := s.conns[i]; !c.ended && c.seen && c.overdue(s.clock-int64(staleAfter)-int64(c.plan)) {
			s.drop(c)
		}
	}
	return s.seen() < s.opt.MaxConns
}

// breathe lets others have the Store for a moment, amid something long.
func (s *Store) breathe() {
	s.mu.Unlock()
	if s.between != nil {
		s.between()
	}
	s.mu.Lock()
}

// endedIn returns the ids of the connections that q asks for and that have ended.
// Among hundreds of thousands of rows only those are looked at.
func (s *Store) endedIn(q Query) map[uint64]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make(map[uint64]bool, s.ended.n)
	for i, c := range slices.Clone(s.ended.q) {
		if i%chunk == chunk-1 {
			s.breathe()
		}
		if c.index >= 0 && q.wants(c, s.ports()) {
			ids[c.id] = true
		}
	}
	return ids
}

// dismiss drops the ended connections among those with the given ids and
// returns how many there were.
func (s *Store) dismiss(ids map[uint64]bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range slices.Clone(s.ended.q) { // it changes while the lock is given up
		if i%chunk == chunk-1 {
			s.breathe()
		}
		if c.index >= 0 && ids[c.id] {
			s.drop(c)
			n++
		}
	}
	return n
}

// events counts the events since the start.
func (s *Store) events() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// endedQueue holds the ended connections in the order of their ends. Those
// that were dropped meanwhile stay in it until it is compacted.
type endedQueue struct {
	q []*entry
	n int // not dropped
}

func (q *endedQueue) push(c *entry) {
	if len(q.q) > 64 && len(q.q) > 2*q.n {
		kept := q.q[:0]
		for _, c := range q.q {
			if c.index >= 0 {
				kept = append(kept, c)
			}
		}
		clear(q.q[len(kept):])
		q.q = kept
	}
	q.q = append(q.q, c)
	q.n++
}

// oldest returns the connection that ended first.
func (q *endedQueue) oldest() *entry {
	for i, c := range q.q {
		if c.index >= 0 {
			clear(q.q[:i])
			q.q = q.q[i:]
			return c
		}
	}
	return nil
}

func (q *endedQueue) forget() { q.n-- }
