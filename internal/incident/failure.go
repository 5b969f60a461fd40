// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// nanos is a wall clock time in nanoseconds since 1970.
type nanos = int64

// Failure is a connection that fails, or failed as it ended.
type Failure struct {
	kind Kind
	// What it comes from happened between these two: after the peer was last heard,
	// and before it first did not answer.
	from, by nanos
	since    nanos         // for Incident.Since
	idle     time.Duration // TCP_KEEPIDLE
	before   bool          // the connection was known for a while before it failed
	ended    bool
	gone     bool // recovered or closed: of no incident to come
	scopes   [4]Scope
	called   conn.PodName // what people call the container or pod; "" where that is not known
	in       *record      // its incident; nil: none so far
}

// together is how long after each other resets may be that come from one thing.
const together = 5 * time.Second

// late is by how much a moment may be missed: a segment was on its way, the timer
// was late.
const late = 2 * time.Second

// sign is what an event says of its connection.
type sign uint8

const (
	noSign sign = iota
	well
	fails
	ends
)

// read says what an event shows, and of a failure its kind.
func read(e *events.Event) (sign, Kind) {
	switch {
	case e.Kind == events.KindEnded && e.By == events.ByZeroWindow:
		return ends, ClosedWindows
	case e.Kind == events.KindReset, e.Kind == events.KindEnded && e.By == events.ByRetransmission:
		return ends, Silence
	case e.Kind.Ends():
		return ends, Resets
	case e.Kind == events.KindDropped, e.Kind == events.KindProbed, e.Kind == events.KindWindowProbe:
		return noSign, 0
	case e.Verdict == events.VerdictSilent, e.Verdict == events.VerdictUnreachable:
		return fails, Silence
	case e.Kind == events.KindSuspended && e.WaitsFor == conn.WaitsRetransmission:
		return fails, Silence
	case e.Kind == events.KindSuspended && e.WaitsFor == conn.WaitsWindowProbe:
		return fails, ClosedWindows
	case e.Kind == events.KindAnswer, e.Kind == events.KindResumed,
		e.Kind == events.KindProbe && e.Verdict == 0, // the first one out: the peer was heard before it
		e.Kind == events.KindTimer && e.Reason == events.ReasonNotIdle,
		e.Kind == 0 && e.Verdict == 0 && e.Has&conn.HasUnanswered != 0 && e.Unanswered == 0: // listed
		return well, 0
	}
	return noSign, 0
}

// failure is the Failure that an event shows; known is when its connection became known.
func failure(e *events.Event, kind Kind, known time.Time) *Failure {
	at := e.Time.UnixNano()
	heard := heardAt(e)
	f := &Failure{kind: kind, from: heard, by: at, since: heard, idle: e.Keepalive.Idle, before: known.UnixNano() < at}
	switch kind {
	case Silence:
		// A retransmission, or an error, came at some time since.
		if e.Verdict != events.VerdictSuspended && e.Has&conn.HasUnanswered != 0 && e.Unanswered > 0 {
			unanswered := e.Unanswered - 1 // intervals since the first probe
			if e.Kind == events.KindReset {
				unanswered++
			}
			f.by = max(heard, at-int64(unanswered)*int64(e.Keepalive.Interval))
		}
		f.by += int64(late)
	case ClosedWindows:
		// The peer goes on answering; the timer looks once in the idle time.
		f.from, f.since = at-int64(e.Keepalive.Idle), at
	case Resets:
		f.from, f.since = at-int64(together), at
		f.before = known.UnixNano() <= at-2*int64(together)
	}
	f.scopes, f.called = scopesOf(&e.State, kind), called(&e.Owner)
	return f
}

// heardAt is when the peer was last heard, as an event tells it.
func heardAt(e *events.Event) nanos {
	if e.Has&conn.HasIdleFor == 0 {
		return e.Time.UnixNano()
	}
	return e.Time.UnixNano() - int64(e.IdleFor)
}
