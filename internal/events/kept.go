// SPDX-License-Identifier: BSD-2-Clause

package events

import "math/rand/v2"

// Limit sets how many connections are remembered at most: as many as the programs
// follow at once (loader.Tracer.FollowSize). Beyond that some must have ended whose
// end was lost; one of all makes room for each that is new.
func (t *Tracker) Limit(most int) { t.most = most }

// Evicted is how many connections were forgotten for want of room. What is said next
// of such a connection may be said as of one that was met just now.
func (t *Tracker) Evicted() uint64 { return t.evicted }

// Empty says that no connection is remembered.
func (t *Tracker) Empty() bool { return t.conns.Len() == 0 }

// keep makes a story for the socket at that address, in place of the one there is.
func (t *Tracker) keep(sk uint64) *story {
	t.forget(sk)
	if t.most > 0 && t.conns.Len() >= t.most {
		// At random: which of them have ended is not known, and to begin at the same
		// place again and again would throw away those there that live.
		if other, some := t.conns.Some(rand.Uint64()); some {
			t.forget(other)
			t.evicted++
		}
	}
	s := new(story)
	t.conns.Put(sk, s)
	t.counts[0]++
	return s
}

// forget drops the story of the socket at that address, if there is one.
func (t *Tracker) forget(sk uint64) {
	s, kept := t.conns.Get(sk)
	if !kept {
		return
	}
	t.counts[s.verdict]--
	s.kept = false
	t.conns.Delete(sk)
	if smaller, shrunk := t.conns.Shrunk(); shrunk {
		t.conns = smaller
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
		if s, kept := t.conns.Get(sk); kept {
			s.review = t.review
		}
	}
	var gone []uint64
	for sk, s := range t.conns.All() {
		if s.review != t.review {
			gone = append(gone, sk)
		}
	}
	for _, sk := range gone {
		t.forget(sk)
	}
}
