// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/incident"
)

// Query says which connections a Snapshot orders, and how.
type Query struct {
	Sort    Column
	Reverse bool
	Ended   bool    // only those that have ended
	filter  *filter // nil: all
	within  *within // one group; nil: all
}

// Snapshot is the Store at one moment: what a frame is drawn from.
type Snapshot struct {
	At        time.Time
	Begun     nanos // the time of the first event; 0: none came
	Counts    [numClasses]int
	NoNews    int // live connections whose timer is overdue
	Total     uint64
	Since     uint64  // events that this snapshot stands for: since the one before
	PerSecond float64 // events
	Lost      events.Lost
	Dismissed uint64 // ended connections that had to make room
	Refused   uint64 // events about connections that there was no room for
	Unlisted  int    // connections that the latest listing had no room for
	Listings  int    // complete ones so far
	Took      time.Duration

	order     []*entry // those that the query asks for, in its order
	log       []logEntry
	incidents []incident.Incident // those that last, and the recent ones; the worst first
}

// Kept is the number of connections that the Store holds.
func (sn *Snapshot) Kept() (n int) {
	for _, c := range sn.Counts {
		n += c
	}
	return n
}

// Snapshot takes a snapshot into sn, whose memory it uses again, with the log
// entries after the one numbered logged. Only one goroutine may call it.
func (s *Store) Snapshot(q Query, logged uint64, sn *Snapshot) {
	started := time.Now()
	s.look(logged, sn)
	s.collect(q, sn.At.UnixNano(), sn)
	// Keys are the sorter's alone: sorting them does not hold up the reader.
	s.sorter.sift()
	clear(sn.order)
	sn.order = s.sorter.finish(sn.order[:0], q.Reverse)
	sn.Took = time.Since(started)
}

// look takes the figures.
func (s *Store) look(logged uint64, sn *Snapshot) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	sn.At, sn.Begun = now, s.begun
	sn.Counts, sn.Lost = s.counts, s.lost
	sn.Since, sn.Total = s.total-sn.Total, s.total
	sn.Dismissed, sn.Refused, sn.Unlisted = s.dismissed, s.refused, s.listing.unlisted
	sn.Listings = s.listing.complete
	sn.PerSecond = s.rate.add(now, s.total)
	s.lookOut(now.UnixNano())
	sn.incidents = s.recent(sn.incidents[:0], now)
	sn.log = s.log.since(sn.log[:0], logged)
}

// chunk is how many connections are looked at before others may have the
// Store: hundreds of thousands at once would hold up the reader.
const chunk = 1024

// collect offers the connections that q asks for to the sorter. It goes
// backwards: drop puts the last one, which was looked at, into the gap, and
// those that come meanwhile come after, for the next snapshot.
func (s *Store) collect(q Query, now nanos, sn *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sorter.begin(q.Sort)
	sn.NoNews = 0
	for i := len(s.conns) - 1; i >= 0; i-- {
		if i%chunk == 0 && i > 0 {
			s.breathe()
			if i = min(i, len(s.conns)-1); i < 0 {
				break
			}
		}
		c := s.conns[i]
		if c.round == s.sorter.round {
			continue
		}
		late := c.overdue(now)
		if late {
			sn.NoNews++
		}
		if !q.wants(c, s.ports()) {
			continue
		}
		s.sorter.add(c, late)
	}
}

// row copies the facts of a connection, with whose the other end is.
func (s *Store) row(c *entry) facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := c.facts
	state := c.state()
	f.service = s.ports().Service(&state)
	far := s.byConn.get(conn.ID{Netns: f.Netns, Local: f.Remote, Remote: f.Local})
	if far != nil && far != c && !far.ended && far.Process.PID != 0 {
		f.setRare(func(r *rare) { r.farEnd = string(far.appendOwner(nil)) })
	}
	return f
}

// rows appends the facts of the connections to dst.
func (s *Store) rows(dst []facts, conns []*entry) []facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		dst = append(dst, c.facts)
	}
	return dst
}

// tale is the story of a connection, ready to be shown.
type tale struct {
	records []record
	notes   []note // one a record
	earlier uint64 // records that are not kept any more
}

// tale copies the story of a connection, or returns false if it is gone.
func (s *Store) tale(c *entry) (t tale, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.index < 0 {
		return t, false
	}
	t.records = c.story.appendTo(make([]record, 0, len(c.story.ring)))
	t.earlier = c.story.n - uint64(len(t.records))
	t.notes = make([]note, len(t.records))
	for i, r := range t.records {
		t.notes[i] = s.notes.get(r.note)
	}
	return t, true
}

// freezeMax bounds the connections of a frozen view.
const freezeMax = 20_000

// freeze returns a Store that holds copies of the connections, with their
// stories, and gets no events. Of more than freezeMax connections it holds those
// in order first, which are shown, and then as many of the others as there is
// room for.
func (s *Store) freeze(order []*entry) *Store {
	f := NewStore(s.opt)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.opt.Now()
	f.opt.Now = func() time.Time { return at }
	f.notes.all = append([]note(nil), s.notes.all...)
	f.total, f.lost, f.refused, f.dismissed, f.clock, f.begun = s.total, s.lost, s.refused, s.dismissed, s.clock, s.begun
	f.listing = listingState{unlisted: s.listing.unlisted, complete: s.listing.complete}
	f.rate = s.rate
	f.counts = s.counts
	f.watch, f.listing.ports = s.watch.Copy(), s.ports().Copy()
	held := make(map[*entry]struct{}, min(len(s.conns), freezeMax))
	hold := func(c *entry) {
		if _, has := held[c]; has || c.index < 0 || len(held) == freezeMax {
			return
		}
		held[c] = struct{}{}
		d := &entry{facts: c.facts, index: int32(len(f.conns)), shown: c.shown}
		d.alike = f.alikes.take(c.common)
		d.story = c.story
		d.story.ring = append([]record(nil), c.story.ring...)
		f.conns = append(f.conns, d)
		if d.ended {
			f.ended.push(d)
		} else {
			f.byConn.put(d)
		}
	}
	for _, list := range [...][]*entry{order, s.conns} {
		for _, c := range list[:min(len(list), 2*freezeMax)] {
			hold(c)
		}
	}
	return f
}

// rate measures events a second over about two seconds of the view's clock.
type rate struct {
	at    [8]time.Time
	total [8]uint64
	n     int
}

const rateStep = 250 * time.Millisecond

func (r *rate) add(now time.Time, total uint64) float64 {
	size := len(r.at)
	if r.n > 0 {
		if newest := (r.n - 1) % size; now.Before(r.at[newest]) {
			r.n = 0 // the clock went back: a recording starts over
		} else if now.Sub(r.at[newest]) < rateStep {
			return r.since(now, total)
		}
	}
	v := r.since(now, total)
	r.at[r.n%size], r.total[r.n%size] = now, total
	r.n++
	return v
}

// since is the rate from the oldest sample to now.
func (r *rate) since(now time.Time, total uint64) float64 {
	if r.n == 0 {
		return 0
	}
	oldest := 0
	if r.n > len(r.at) {
		oldest = r.n % len(r.at)
	}
	d := now.Sub(r.at[oldest])
	if d <= 0 {
		return 0
	}
	return float64(total-r.total[oldest]) / d.Seconds()
}

// byID finds a connection, or nil.
func (s *Store) byID(id uint64) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.id == id {
			return c
		}
	}
	return nil
}
