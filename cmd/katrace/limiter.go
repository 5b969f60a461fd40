// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"katrace/internal/events"
)

// limiter is --max-rate: it passes on so many events a second beyond a burst, and
// sums up the others once a second. Its clock is the events' own.
type limiter struct {
	next events.Sink
	rate float64 // events a second
	now  func() time.Time

	tokens float64 // events that may pass at once
	last   time.Time

	since time.Time // of the first event that was left out; zero: none was
	sum   events.Suppressed
	peers map[netip.Addr]uint64
	host  string         // the events'
	total *atomic.Uint64 // of events that were left out
}

const (
	burst = 1000
	// forEnds is the part of the burst that is left for the ends of connections.
	forEnds = burst / 2
	// maxPeers is how many peers are told apart within a second: those that come
	// first. One of the commonest is among them in all likelihood.
	maxPeers = 4096
)

func newLimiter(next events.Sink, rate int) *limiter {
	return &limiter{next: next, rate: float64(rate), now: time.Now, tokens: burst, peers: map[netip.Addr]uint64{}, total: new(atomic.Uint64)}
}

func (l *limiter) Event(e *events.Event) error {
	if !e.Remote.IsValid() { // about the stream itself
		return l.next.Event(e)
	}
	// A clock that was set, forward or back, is a second at most.
	since := min(max(e.Time.Sub(l.last), 0), time.Second)
	l.last = e.Time
	l.tokens = min(l.tokens+l.rate*since.Seconds(), burst)
	left := 1.0
	if !e.Kind.Ends() {
		left += forEnds
	}
	if l.tokens >= left {
		l.tokens--
		return l.next.Event(e)
	}
	return l.suppress(e)
}

func (l *limiter) suppress(e *events.Event) error {
	if l.since.IsZero() {
		l.since = e.Time
	}
	l.sum.Events++
	l.total.Add(1)
	l.host = e.Host
	if e.Kind.Ends() {
		l.sum.Ends++
	}
	addr := e.Remote.Addr()
	if _, known := l.peers[addr]; known || len(l.peers) < maxPeers {
		l.peers[addr]++
	}
	if e.Time.Sub(l.since) < time.Second {
		return nil
	}
	return l.report(e.Time)
}

// report passes on what was left out.
func (l *limiter) report(at time.Time) error {
	if l.sum.Events == 0 {
		return nil
	}
	sum := l.sum // the event keeps it
	all := make([]events.PeerCount, 0, len(l.peers))
	for addr, n := range l.peers {
		all = append(all, events.PeerCount{Addr: addr, Events: n})
	}
	slices.SortFunc(all, func(a, b events.PeerCount) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), a.Addr.Compare(b.Addr))
	})
	copy(sum.Peers[:], all)
	l.sum, l.since = events.Suppressed{}, time.Time{}
	clear(l.peers)
	e := events.Event{Time: at.UTC(), Kind: events.KindSuppressed, Suppressed: &sum}
	e.Host = l.host
	return l.next.Event(&e)
}

func (l *limiter) Flush() error { return l.next.Flush() }

// Second is of secondly: no event may come that ends the second.
func (l *limiter) Second(last bool) error {
	if now := l.now(); last || now.Sub(l.since) >= time.Second {
		if err := l.report(now); err != nil {
			return err
		}
	}
	return second(l.next, last)
}

// Wants is of wanter.
func (l *limiter) Wants(e *events.Event, matches bool) bool {
	w, ok := l.next.(wanter)
	return ok && w.Wants(e, matches)
}
