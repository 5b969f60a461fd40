// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"iter"
	"slices"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Bounds of what is kept.
const (
	// mostEnded is how many connections that have ended are kept for an incident
	// that is not found yet, and endedFor how long.
	mostEnded = 20_000
	endedFor  = 15 * time.Minute
	// mostIncidents is how many are kept, the oldest giving way.
	mostIncidents = 1000
	// joinsFor is how long after its end an incident may still be found to have been
	// that of one connection more: those with a long idle time fall silent later.
	joinsFor = 15 * time.Minute
)

// Watch watches for incidents. Not safe for concurrent use.
type Watch struct {
	// Listed says that connections are known soon after they are made, by listings of
	// all sockets, and not by their first event.
	Listed bool

	looked nanos // when Look last looked; 0: never

	failing []*Failure // of no incident so far
	gone    int        // of these, recovered or closed
	ended   int        // of these, ended
	fresh   int        // failing from here on came after the last look
	piles   map[Scope]*pile
	full    []Scope // of the piles, those that have enough

	records []*record
}

// New knows of nothing yet.
func New() *Watch { return &Watch{piles: map[Scope]*pile{}} }

// Event takes over what an event says of a connection: f is its Failure before,
// nil if it is well. known is when the connection became known. It returns the
// Failure from now on.
func (w *Watch) Event(f *Failure, e *events.Event, known time.Time) *Failure {
	sign, kind := read(e)
	f.name(&e.Owner)
	switch {
	case sign == noSign, sign == well && f == nil, f != nil && f.ended:
		return f
	case sign == well:
		w.leave(f, heardAt(e), (*record).recover)
		return nil
	case f != nil && f.kind != kind && sign == fails:
		w.leave(f, e.Time.UnixNano(), (*record).recover)
		f = nil
	}
	if f == nil {
		f = failure(e, kind, known)
		if f.ended = kind == Resets && !f.before; f.ended {
			return f // short-lived connections often end so
		}
		w.add(f)
	}
	if sign == ends {
		f.ended = true
		if f.in != nil {
			f.in.root().end(e.Time.UnixNano())
		} else {
			w.ended++
		}
	}
	return f
}

// name takes over the name of the container or pod, which may become known late.
func (f *Failure) name(o *conn.Owner) {
	if f == nil || f.called.Name != "" || OwnerScope(o).of(f.kind) != f.scopes[2] {
		return
	}
	if f.called = called(o); f.in != nil {
		f.in.root().call(f.called)
	}
}

// Forget is for a connection that closed without an error, or is known no more.
func (w *Watch) Forget(f *Failure, at time.Time) {
	if f != nil && !f.ended && !f.gone {
		w.leave(f, at.UnixNano(), (*record).close)
	}
}

func (w *Watch) add(f *Failure) {
	w.failing = append(w.failing, f)
	for _, s := range f.scopes {
		if s.Level == 0 {
			continue
		}
		p := w.piles[s]
		if p == nil {
			p = new(pile)
			w.piles[s] = p
		}
		p.n++
		if p.n >= Least && !p.listed {
			p.listed = true
			w.full = append(w.full, s)
		}
	}
}

// leave ends a failure that has not ended its connection.
func (w *Watch) leave(f *Failure, at nanos, how func(*record, nanos)) {
	if f.gone = true; f.in != nil {
		how(f.in.root(), at)
		return
	}
	w.unpile(f)
	w.gone++
}

// unpile takes a failure out of its piles.
func (w *Watch) unpile(f *Failure) {
	for _, s := range f.scopes {
		if p := w.piles[s]; p != nil {
			if p.n--; p.n == 0 {
				delete(w.piles, s)
			}
		}
	}
}

// Due says whether it is time to look: once a second. Clocks that are a little
// apart do not matter.
func (w *Watch) Due(at time.Time) bool {
	d := at.UnixNano() - w.looked
	return d >= int64(time.Second) || d < -int64(time.Minute)
}

// Look looks for incidents. others are the connections that are there and have no
// Failure; they are asked for only where their number matters. While they are,
// the Watch may be used.
func (w *Watch) Look(now time.Time, others iter.Seq[*conn.State]) {
	w.looked = now.UnixNano()
	w.join()
	scopes := w.ready()
	if len(scopes) > 0 {
		w.count(scopes, others)
		w.declare(scopes)
		w.merge()
	}
	w.tidy()
}

// join gives the failures that are new to the incidents that explain them.
func (w *Watch) join() {
	for _, f := range w.failing[min(w.fresh, len(w.failing)):] {
		for _, r := range w.records {
			if f.gone || f.in != nil {
				break
			}
			if w.looked-max(r.last, r.by) <= int64(joinsFor) && r.explains(f) {
				if !f.before {
					r.of++
				}
				w.give(f, r)
			}
		}
	}
}

// give makes a failure a part of an incident.
func (w *Watch) give(f *Failure, r *record) {
	w.unpile(f)
	w.gone++
	if f.ended {
		w.ended--
	}
	r.take(f)
}

// tidy forgets what is of no use any more.
func (w *Watch) tidy() {
	w.fresh = len(w.failing)
	if w.gone+w.ended > len(w.failing)/2 || w.ended > mostEnded {
		w.compact()
	}
	if len(w.records) > mostIncidents {
		w.records = slices.Delete(w.records, 0, len(w.records)-mostIncidents)
	}
}

// compact drops the failures that have gone, and those that ended too long ago.
func (w *Watch) compact() {
	drop := max(0, w.ended-mostEnded)
	kept := w.failing[:0]
	for _, f := range w.failing {
		age := w.looked - f.by
		switch {
		case f.gone || f.in != nil:
		case f.ended && (drop > 0 || age > int64(endedFor)):
			drop--
			w.ended--
			w.unpile(f)
			f.gone = true
		default:
			kept = append(kept, f)
		}
	}
	clear(w.failing[len(kept):])
	w.failing, w.gone, w.fresh = kept, 0, len(kept)
}

// All lists the incidents, those that began first at first.
func (w *Watch) All() []Incident {
	all := make([]Incident, 0, len(w.records))
	for _, r := range w.records {
		i := r.incident()
		i.Listed = w.Listed
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b Incident) int { return a.Since.Compare(b.Since) })
	return all
}

// None says that there was no incident so far.
func (w *Watch) None() bool { return len(w.records) == 0 }

// Copy is a Watch that knows of the same incidents, and of no connection.
func (w *Watch) Copy() *Watch {
	c := New()
	c.Listed, c.looked = w.Listed, w.looked
	for _, r := range w.records {
		copied := *r
		c.records = append(c.records, &copied)
	}
	return c
}
