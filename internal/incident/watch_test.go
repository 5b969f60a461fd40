// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"math/rand/v2"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestCountsHold: whatever comes in whatever order, what is counted is there, and
// the connections of an incident have each become of something.
func TestCountsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	g := newStage(0)
	w := New()
	type client struct {
		state   *conn.State
		failure *Failure
		known   time.Time
		heard   time.Time
	}
	now := start
	fresh := func() *client {
		return &client{state: g.client(host(98, rng.IntN(6)), string(rune('a'+rng.IntN(3))), time.Minute), known: now.Add(-time.Minute), heard: now}
	}
	clients := make([]*client, 200)
	for i := range clients {
		clients[i] = fresh()
	}
	others := func(yield func(*conn.State) bool) {
		for _, c := range clients {
			if c.failure == nil && !yield(c.state) {
				return
			}
		}
	}
	shapes := []func(*events.Event){
		func(e *events.Event) { e.Kind, e.Verdict = events.KindProbe, events.VerdictSilent },
		func(e *events.Event) { e.Kind, e.Verdict = events.KindICMP, events.VerdictUnreachable },
		func(e *events.Event) { e.Kind, e.WaitsFor = events.KindSuspended, conn.WaitsWindowProbe },
		func(e *events.Event) { e.Kind, e.WaitsFor = events.KindSuspended, conn.WaitsRetransmission },
		func(e *events.Event) { e.Kind, e.Verdict = events.KindAnswer, events.VerdictAlive },
		func(e *events.Event) { e.Kind = events.KindResumed },
		func(e *events.Event) { e.Kind = events.KindProbe },
		func(e *events.Event) { e.Kind = events.KindDropped },
		func(e *events.Event) { e.Kind, e.Verdict = events.KindReset, events.VerdictTimedOut },
		func(e *events.Event) { e.Kind, e.Verdict = events.KindPeerReset, events.VerdictForgotten },
		func(e *events.Event) { e.Kind, e.By = events.KindEnded, events.ByZeroWindow },
	}
	for range 60_000 {
		now = now.Add(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
		i := rng.IntN(len(clients))
		// Most of the time most of them fail, the first eight shapes now and then.
		shape := rng.IntN(len(shapes) - 3)
		if now.Sub(start)%(2*time.Minute) < time.Minute {
			shape = rng.IntN(len(shapes))
		}
		if shape > 3 && rng.IntN(3) > 0 {
			shape = 0
		}
		c := clients[i]
		e := events.Event{State: *c.state, Time: now, Timer: conn.Timer{IdleFor: now.Sub(c.heard)}}
		if shape > 3 {
			c.heard = now
		}
		shapes[shape](&e)
		c.failure = w.Event(c.failure, &e, c.known)
		switch {
		case e.Kind.Ends():
			clients[i] = fresh()
		case rng.IntN(100) == 0:
			w.Forget(c.failure, now)
			clients[i] = fresh()
		}
		if w.Due(now) {
			w.Look(now, others)
			w.check(t)
		}
	}
	all := w.All()
	if len(all) < 3 {
		t.Fatalf("%d incidents: this test sees nothing", len(all))
	}
	copied := w.Copy().All()
	for i, x := range all {
		if x.Silent+x.Recovered+x.Ended+x.Closed != x.Affected || x.Affected > x.Of || min(x.Silent, x.Recovered, x.Ended, x.Closed) < 0 ||
			x.Since.After(x.Heard) || !x.Lasts() && x.Until.Before(x.Since) {
			t.Errorf("%+v", x)
		}
		if copied[i] != x {
			t.Errorf("copied %+v, was %+v", copied[i], x)
		}
	}
}

// TestRelapse: what recovers and fails again is not counted twice, though the moment
// of a closed window is known to the idle time only.
func TestRelapse(t *testing.T) {
	g := newStage(2 * time.Minute)
	for n := range 10 {
		s := g.client(host(98, 9), "shop", time.Minute)
		for i, kind := range []events.Kind{events.KindSuspended, events.KindResumed, events.KindSuspended} {
			at := time.Minute + time.Duration(10*i+n)*time.Second
			g.tell(s, at, at, kind, func(e *events.Event) { e.WaitsFor = conn.WaitsWindowProbe })
		}
	}
	sentences(t, g.watch(t),
		"10 known connections to 10.98.0.9 blocked by closed receive windows from 19:31:00Z to 19:31:19Z: all recovered",
		"10 known connections to 10.98.0.9 blocked by closed receive windows since 19:31:20Z")
}

// TestBounds: what ended, and is of no incident, is not kept for ever.
func TestBounds(t *testing.T) {
	g := newStage(0)
	w := New()
	now := start
	for n := range 3 * mostEnded {
		now = now.Add(time.Millisecond)
		s := g.client(host(n>>16, n), "shop", time.Minute)
		e := events.Event{State: *s, Time: now, Kind: events.KindReset, Verdict: events.VerdictTimedOut}
		w.Event(nil, &e, now)
		if w.Due(now) {
			w.Look(now, func(func(*conn.State) bool) {})
		}
	}
	w.check(t)
	if n := len(w.failing); n > 2*mostEnded || w.ended > mostEnded+1000 {
		t.Errorf("%d kept, %d ended", n, w.ended)
	}
	w.Look(now.Add(2*endedFor), func(func(*conn.State) bool) {})
	if len(w.failing)+len(w.piles) != 0 {
		t.Errorf("%d and %d kept for long", len(w.failing), len(w.piles))
	}
}
