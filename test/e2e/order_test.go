// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
)

// TestOrder: of the same connections every backend tells the same events, in
// the same order, but for what it is said to lack.
func TestOrder(t *testing.T) {
	if len(backends()) < 2 {
		t.Skip("a backend by itself has nothing to be compared with")
	}
	s := stageAll(t)
	for _, c := range lab.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			s.skipImpossible(t, c.Name)
			for _, d := range s.said.differences(t, c.Name) {
				t.Error(d)
			}
		})
	}
}

// differences are those between what the first backend said of a case and what
// the others did.
func (r results) differences(t *testing.T, name string) (all []string) {
	first := backends()[0]
	for _, by := range backends()[1:] {
		for i, how := range []string{"", " --rtt"} {
			canBoth := both(factsHere(t, first), factsHere(t, by))
			if r[first][name].lost.Skipped.Enabled+r[by][name].lost.Skipped.Enabled > 0 {
				canBoth.Enabled = false // some may be missing
			}
			want := known(r[first][name].events[i], canBoth)
			got := known(r[by][name].events[i], canBoth)
			if d := cmp.Diff(timeless(want), timeless(got), comparable); d != "" {
				all = append(all, fmt.Sprintf("-%s +%s%s:\n%s", first, by, how, d))
			}
		}
	}
	return all
}

// both is what two backends know.
func both(a, b loader.Facts) loader.Facts {
	return loader.Facts{
		SendErrors: a.SendErrors && b.SendErrors, ICMP: a.ICMP && b.ICMP, WindowProbes: a.WindowProbes && b.WindowProbes,
		Probed: a.Probed && b.Probed, Enabled: a.Enabled && b.Enabled, RST: a.RST && b.RST, Dropped: a.Dropped && b.Dropped,
	}
}

var comparable = cmp.Options{
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// timeless is the events without what differs between two handlers of one
// firing that run one after the other, or between two processes: times, and
// what is reckoned from them (that they are told at all is compared); and the
// owner, which user space looks up by the inode.
func timeless(evs []events.Event) []events.Event {
	out := make([]events.Event, len(evs))
	for i, e := range evs {
		e.Time, e.IdleFor, e.Next, e.DiesIn, e.RTT, e.SilentFor = time.Time{}, 0, 0, 0, 0, 0
		e.Process, e.HeldBy, e.Module = conn.Process{}, 0, ""
		e.Cgroup, e.Container, e.Pod = "", "", ""
		if e.Kind == events.KindAnswer {
			// A handler that runs a tick before the kernel looks at the clock says
			// that the timer will fire in a tick, the other that it probes now.
			e.Has &^= conn.HasNext | conn.HasDiesIn
		}
		out[i] = e
	}
	return out
}

// known is what is left of events where a backend can know these facts only.
// The rules are the table in docs/backends.md of what each backend cannot know.
func known(evs []events.Event, can loader.Facts) (left []events.Event) {
	lacking := map[events.Kind]bool{
		events.KindICMP: !can.ICMP, events.KindWindowProbe: !can.WindowProbes,
		events.KindProbed: !can.Probed, events.KindEnabled: !can.Enabled, events.KindDropped: !can.Dropped,
	}
	// A probe that the local queue refuses is none without its return code: then
	// nothing is out that could be dropped.
	refused := !can.SendErrors && slices.ContainsFunc(evs, func(e events.Event) bool { return e.SendError == events.Congested })
	for _, e := range evs {
		if lacking[e.Kind] || refused && e.Kind == events.KindDropped && e.Drop.Direction == events.DirectionOut {
			continue
		}
		if !can.SendErrors {
			if e.SendError == events.Congested {
				// It does not show: a firing that sent nothing, it is not known why.
				e.Kind, e.Verdict, e.Seq = events.KindTimer, 0, 0
				e.Has &^= events.HasSeq | conn.HasNext
			}
			e.SendError = ""
		}
		if !can.RST && (e.Kind == events.KindPeerReset || e.RST != 0) {
			e.RST, e.Verdict = 0, events.VerdictReset
			if e.By == events.ByThisHost { // in the peer's name
				e.By = events.ByPeer
			}
		}
		if e.Verdict == events.VerdictUnreachable && !(can.SendErrors && can.ICMP) {
			e.Verdict = otherwise(&e)
		}
		if !can.SendErrors || !can.ICMP {
			e.Change = 0 // from what, and to what, it cannot know
		}
		left = append(left, e)
	}
	return left
}

// otherwise is the verdict on a peer of which neither a router nor this host's
// own routing says that it cannot be reached.
func otherwise(e *events.Event) events.Verdict {
	switch {
	case e.Kind == events.KindReset:
		return events.VerdictTimedOut
	case e.Unanswered > 1:
		return events.VerdictSilent
	}
	return 0
}
