// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
)

// Listing tells a Store which connections with keepalive exist: a row for each
// from the first moment on, before its first event. A row that only a listing
// shows has no story; the first event makes it a row like any other, and it
// goes when a listing does not find it any more. Of connections of which events
// came a listing only corrects what runs between events: when the timer fires.
//
// Add may be called beside everything else. One Listing is made at a time, by
// one goroutine.
type Listing struct {
	store *Store
	n     uint32
	told  int // of connections
	over  int // of which there was no room for
}

// listingState is what a Store knows of listings.
type listingState struct {
	n        uint32               // the latest one's number
	complete int                  // how many came to their end
	unlisted int                  // what the latest complete one had no room for
	ports    *group.Ports         // which ports are services', by the latest; nil: not known by any
	closed   map[conn.ID]struct{} // closed since the one under way began; nil: none is
}

// close notes that a connection has closed, so that a listing under way, which
// saw it before, does not bring it back.
func (l *listingState) close(c conn.ID, most int) {
	if l.closed != nil && len(l.closed) < most {
		l.closed[c] = struct{}{}
	}
}

// Listing begins one: before the kernel is asked.
func (s *Store) Listing() *Listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing.n++
	s.listing.closed = make(map[conn.ID]struct{})
	return &Listing{store: s, n: s.listing.n}
}

// Add tells of a connection that has keepalive on: its socket at e.Time, with
// no Kind. It tells whether there is a row for it now.
func (l *Listing) Add(e *events.Event) bool {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	l.told++
	key := e.ID()
	if _, closed := s.listing.closed[key]; closed {
		return false
	}
	c := s.byConn.get(key)
	switch {
	case c == nil:
	case c.seen && c.last > e.Time.UnixNano():
		c.found = l.n
		return true // what the event told is newer
	case c.ended && !reused(c, e):
		return false // it was on its way to the end
	case c.ended:
		s.byConn.remove(c)
		c = nil
	case reused(c, e):
		s.drop(c) // it must have closed unseen
		c = nil
	}
	if c == nil {
		if s.unseen >= s.opt.MaxListed {
			l.over++
			return false
		}
		c = s.insert(key)
	}
	c.found = l.n
	if c.relist(e, &s.alikes); !c.seen { // else events tell how it is
		c.failure = s.watch.Event(c.failure, e, time.Unix(0, c.first))
	}
	c.slack = s.opt.HZ.Slack(c.plan)
	s.reclass(c)
	return true
}

// Done ends a complete listing: rows that only listings showed, and this one
// did not, go. more counts connections that were not even offered to Add.
func (l *Listing) Done(more int) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing.closed = nil
	s.listing.complete++
	// Backwards, as Store.collect does.
	for i := len(s.conns) - 1; i >= 0; i-- {
		if i%chunk == 0 {
			s.breathe()
			i = min(i, len(s.conns)-1)
		}
		if i >= 0 && !s.conns[i].seen && s.conns[i].found != l.n {
			s.drop(s.conns[i])
		}
	}
	// Many of those beyond the bound may have a row by their events.
	rowless := l.told + more - (len(s.conns) - s.ended.n)
	s.listing.unlisted = max(0, min(rowless, l.over+more))
	s.watch.Listed = s.listing.unlisted == 0
}

// Ports tells which ports are services': of all sockets, those that listen among
// them. It is not changed any more.
func (l *Listing) Ports(p *group.Ports) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.store.listing.ports = p
}

// Fail ends a listing that is not complete: what was found stays.
func (l *Listing) Fail() {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	l.store.listing.closed = nil
}

// relist takes over what a listing says about the connection: everything if no
// event came so far, else when the timer fires. There the listing knows what
// no event told, that data set the timer anew; but what is between an event and
// the listing, a probe or an answer, is left to its own event.
func (f *facts) relist(e *events.Event, in *alikes) {
	at := e.Time.UnixNano()
	f.listed, f.ours = at, true
	if f.first == 0 {
		f.first = at
	}
	fresh := !f.seen
	if !fresh && e.Verdict != events.VerdictSuspended && (e.Has&conn.HasUnanswered == 0 || e.Unanswered != f.Unanswered) {
		return
	}
	was := f.Keepalive
	f.applySocket(e, at, in)
	if same := f.Keepalive; same.Unsure != 0 && was.Unsure == 0 {
		same.Inherited, same.Unsure = was.Inherited, 0
		if same == was {
			s := f.state()
			s.Keepalive = was // an event told who set them, netlink does not
			f.setState(&s, in)
		}
	}
	switch {
	case fresh, e.Verdict == events.VerdictSuspended:
		f.verdict = e.Verdict
		f.stall(e)
	case f.verdict == events.VerdictSuspended:
		f.verdict = 0
	}
	if !fresh && e.Verdict != events.VerdictSuspended && e.Has&conn.HasNext == 0 {
		return // not known
	}
	f.next, f.plan, f.dies, f.armed = 0, 0, 0, e.ArmedBeforeChange
	if e.Has&conn.HasNext != 0 {
		f.next, f.plan = at+int64(e.Next), max(e.Next, f.Keepalive.Interval)
		if e.Unanswered == 0 {
			// The timer has been running since before the listing: for the idle
			// time at the most. After a probe it runs for the interval.
			f.plan = max(f.plan, f.Keepalive.Idle)
		}
	}
	if e.Has&conn.HasDiesIn != 0 {
		f.dies = at + int64(e.DiesIn)
	}
}
