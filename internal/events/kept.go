// SPDX-License-Identifier: BSD-2-Clause

package events

import "maps"

// Limit sets how many connections are remembered at most: as many as the programs
// follow at once (loader.Tracer.FollowSize). Beyond that some must have ended whose
// end was lost; one of all makes room for each that is new.
func (t *Tracker) Limit(most int) { t.most = most }

// Evicted is how many connections were forgotten for want of room. What is said next
// of such a connection may be said as of one that was met just now.
func (t *Tracker) Evicted() uint64 { return t.evicted }

// Empty says that no connection is remembered.
func (t *Tracker) Empty() bool { return len(t.conns) == 0 }

// keep makes a story for the socket at that address, in place of the one there is.
func (t *Tracker) keep(sk uint64) *story {
	t.forget(sk)
	if t.most > 0 && len(t.conns) >= t.most {
		for other := range t.conns { // Go begins anywhere
			t.forget(other)
			t.evicted++
			break
		}
	}
	s := new(story)
	t.conns[sk] = s
	t.peak = max(t.peak, len(t.conns))
	t.counts[0]++
	return s
}

// Below so many stories a map is not made anew.
const fewStories = 1 << 14

// forget drops the story of the socket at that address, if there is one.
func (t *Tracker) forget(sk uint64) {
	s := t.conns[sk]
	if s == nil {
		return
	}
	t.counts[s.verdict]--
	s.kept = false
	delete(t.conns, sk)
	if t.peak > fewStories && len(t.conns) < t.peak/4 { // a map never gives memory back
		t.conns, t.peak = maps.Collect(maps.All(t.conns)), len(t.conns)
	}
}

// BeginReview and EndReview forget the connections that have ended without a record
// of it: the ring had no room for it, or no program ran. A review begins before the
// followed connections are listed (loader.Tracer.Followed), and ends when all records
// are read that were made by then. Of those that are not listed and of which no
// record came since, nothing is left.
func (t *Tracker) BeginReview() { t.review++ }

// EndReview takes the sockets' addresses as they were listed.
func (t *Tracker) EndReview(followed []uint64) {
	for _, sk := range followed {
		if s := t.conns[sk]; s != nil {
			s.review = t.review
		}
	}
	for sk, s := range t.conns {
		if s.review != t.review {
			t.forget(sk)
		}
	}
}
