// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// predictions: when the timer fires next and when the kernel gives up, as they
// then come true; on every probe, and wherever else they are said.
func (r *review) predictions() {
	for _, e := range r.kinds[events.KindEnabled] {
		if e.TCPState == conn.TCPSynSent && e.Has&conn.HasDiesIn != 0 {
			r.no("enabled event says that keepalive gives up in %v, which it does not before the connection is made", round(e.DiesIn))
		}
		if r.c.late > 0 && !e.ArmedBeforeChange {
			r.no("enabled event does not say that the first probe is late")
		}
	}
	n := [256]int{}
	for i := range r.all {
		e := &r.all[i]
		n[e.Kind]++
		must := e.Kind == events.KindProbe || e.Kind == events.KindTimer && e.Reason == events.ReasonNotIdle
		switch {
		case e.Has&conn.HasNext != 0:
			r.next(i, n[e.Kind])
		case must:
			r.no("%s %d does not say when the timer fires next", e.Kind, n[e.Kind])
		}
		switch {
		case e.Has&conn.HasDiesIn != 0:
			r.diesIn(e, n[e.Kind])
		case must && !refused(e):
			r.no("%s %d does not say when the kernel gives up", e.Kind, n[e.Kind])
		}
	}
}

// next holds what event i, the nth of its kind, says of the next firing against
// the one that came.
func (r *review) next(i, n int) {
	e := &r.all[i]
	want := e.Time.Add(e.Next)
	if e.Kind == events.KindProbe && !r.can.TimerReasons {
		// The next firing to be told is the one that finds the connection idle.
		if at := r.left[n-1]; at >= 0 && r.o.Captured.Probes[at].Answered() {
			if idle := r.o.Captured.Probes[at].Answer.Add(r.c.Setting.Idle); idle.After(want) {
				want = idle
			}
		}
	} else if !r.can.TimerReasons {
		return // firings that send nothing are not told
	}
	if r.missing > 0 {
		return // nor are some of the others
	}
	came := r.firingsAfter(i)
	if e.Kind != events.KindAnswer && e.Kind != events.KindSuspended && len(came) > 1 {
		came = came[:1] // those two may be told by a firing, whose own event follows
	}
	for _, at := range came {
		if r.near(want, at) {
			return
		}
	}
	if len(came) > 0 {
		r.no("%s %d says that the timer fires in %v, it fired after %v", e.Kind, n, round(e.Next), round(came[0].Sub(e.Time)))
	}
}

// firingsAfter are the times of the next two firings, as far as they are told.
// Another state ends them: closing sets the timer for other purposes.
func (r *review) firingsAfter(i int) (at []time.Time) {
	for _, e := range r.all[i+1:] {
		switch e.Kind {
		case events.KindProbe, events.KindTimer, events.KindReset:
			if e.TCPState != r.all[i].TCPState || len(at) == 2 {
				return at
			}
			at = append(at, e.Time)
		default: // no firing
		}
	}
	return at
}

// diesIn holds what an event, the nth of its kind, says of the giving-up against
// when that came. It is said for a peer that stays silent from then on.
func (r *review) diesIn(e *events.Event, n int) {
	const apart = 100 * time.Millisecond // of the events' clock and the capture's, at the most
	died := r.o.Died()
	if r.c.Expect.End != ByKeepalive || died.IsZero() || e.Time.Add(apart).Before(r.o.Captured.Heard) {
		return
	}
	if !r.near(e.Time.Add(e.DiesIn), died) {
		r.no("%s %d says that the kernel gives up in %v, it did after %v", e.Kind, n, round(e.DiesIn), round(died.Sub(e.Time)))
	}
}
