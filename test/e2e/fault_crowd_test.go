// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestFaultCrowd: thousands of connections that are given up in the same second.
// Each is shown, with its two probes and its end, and nothing else.
func TestFaultCrowd(t *testing.T) {
	l := newLoad(t, pick(10_000, 2000), true, 2)
	conns := l.conns()
	r := startOne(t, l.only(), noDrops)
	l.begin()
	waitFor(t, time.Minute, "the last connection to end", func() bool { return l.counted() == uint64(2*len(conns)) })
	time.Sleep(2500 * time.Millisecond) // a timer, and its slack
	crowdStories(r, conns)
}

// crowdStories holds what a katrace told of the connections against what they
// did. A firing that the kernel ran no program for, and katrace reports as
// missed, makes one story wrong.
func crowdStories(r tracer, conns []conn.ID) {
	r.t.Helper()
	stories := map[conn.ID]string{}
	var first, last time.Time
	evs := r.stop()
	for i := range evs {
		e := &evs[i]
		switch e.Kind {
		case events.KindProbe:
			stories[e.ID()] += fmt.Sprintf("probe %d %s, ", e.Unanswered, e.Verdict)
		case events.KindReset:
			stories[e.ID()] += fmt.Sprintf("reset %d %s %s", e.Unanswered, e.Errno, e.Verdict)
			if first.IsZero() {
				first = e.Time
			}
			last = e.Time
		case events.KindLost:
		default:
			stories[e.ID()] += e.Kind.String() + ", "
		}
	}
	want := fmt.Sprintf("probe 1 %s, probe 2 %s, reset 2 ETIMEDOUT timed_out", events.Verdict(0), events.VerdictSilent)
	if r.by.Facts().Enabled {
		want = "enabled, " + want
	}
	wrong := 0
	for _, c := range conns {
		if got := stories[c]; got != want {
			if wrong++; wrong <= 3 {
				r.t.Logf("%s: %v > %v: %q, want %q", r.by, c.Local, c.Remote, got, want)
			}
		}
		delete(stories, c)
	}
	r.t.Logf("%s: %d ends within %s, %d stories wrong, %d of others; %s", r.by, len(conns), last.Sub(first), wrong, len(stories), lastLine(r.stderr.String()))
	if lost := tallyOf(evs).lost; wrong > int(lost.Missed+lost.Skipped.Enabled) || len(stories) > 0 {
		r.t.Errorf("%s: %d of %d connections' stories are wrong, and %d of no connection's; lost %+v", r.by, wrong, len(conns), len(stories), lost)
	}
}
