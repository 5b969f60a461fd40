// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"slices"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// end: a reset event if and only if the keepalive timer gave the connection up,
// a peer_reset event if and only if the peer reset it while a probe was out, an
// ended event if and only if it ended with an error otherwise; each with the errno
// that the application read, and nothing but closed after it.
func (r *review) end() {
	for _, ending := range []struct {
		kind events.Kind
		by   Ending
	}{{events.KindReset, ByKeepalive}, {events.KindPeerReset, ByPeer}, {events.KindEnded, ByOther}} {
		told := r.kinds[ending.kind]
		end := r.c.Expect.End
		if end == ByHost {
			end = ByPeer // the kernel takes it for the peer's
		}
		if end != ending.by {
			if len(told) > 0 {
				r.no("%s: the connection did not end so", conn.Count(len(told), ending.kind.String()+" event"))
			}
			continue
		}
		if len(told) != 1 {
			r.no("%s, the connection ended so once", conn.Count(len(told), ending.kind.String()+" event"))
		}
		for _, e := range told {
			if r.o.Subflow {
				if e.Errno != "" {
					r.no("%s event says errno %q, of a subflow's end the application reads nothing", ending.kind, e.Errno)
				}
			} else if e.Errno != errnoName(r.o.Errno) {
				r.no("%s event says errno %q, the application read %s", ending.kind, e.Errno, errnoName(r.o.Errno))
			}
			if !r.near(e.Time, r.o.Died()) {
				r.no("%s event says %v later than it happened", ending.kind, round(e.Time.Sub(r.o.Died())))
			}
			if e.Reason != r.c.Expect.Reason {
				r.no("%s event says reason %q, not %q", ending.kind, e.Reason, r.c.Expect.Reason)
			}
			if e.Kind == events.KindEnded {
				r.ended(e)
			}
		}
	}
	over := false
	for i := range r.all {
		e := &r.all[i]
		var rst events.RST
		// A refused probe shows this host's own RST without the segment.
		if e.Kind == events.KindEnded && r.can.RST {
			rst = r.c.Expect.RST
		} else if e.Kind == events.KindPeerReset && (r.can.RST || r.can.SendErrors && r.c.Expect.RST == events.RSTThisHost) {
			rst = r.c.Expect.RST
		}
		if e.RST != rst {
			r.no("%s event says rst %q, not %q", e.Kind, e.RST, rst)
		}
		if over && !slices.Contains([]events.Kind{events.KindClosed, events.KindICMP}, e.Kind) {
			r.no("%s event after the end", e.Kind)
		}
		over = over || e.Kind.Ends() || e.Kind == events.KindClosed
	}
}

// ended: who did it, as far as the backend can know, and what became of the data.
func (r *review) ended(e *events.Event) {
	by := r.c.Expect.By
	if !r.can.RST && r.c.Expect.RST == events.RSTThisHost {
		by = events.ByPeer // it looks so to the kernel
	}
	if e.By != by {
		r.no("ended event says by %q, not %q", e.By, by)
	}
	if e.Has&conn.HasUnacked == 0 || !r.c.Expect.Unacked.holds(int(e.Unacked)) {
		r.no("ended event says %d bytes unacknowledged, not %s", e.Unacked, r.c.Expect.Unacked)
	}
	retransmits := exactly(0)
	if by == events.ByRetransmission {
		// The first may have been a tail loss probe, which does not count.
		retransmits = between(r.o.Captured.Retransmits-1, r.o.Captured.Retransmits)
	}
	if !retransmits.holds(e.Retransmits) {
		r.no("ended event says %d retransmits, the capture %s", e.Retransmits, retransmits)
	}
	if e.Has&conn.HasIdleFor == 0 {
		r.no("ended event does not say for how long the connection was idle")
	}
}

// icmp: one event for each error that the capture shows, as it shows it; none
// where the backend cannot know. What the last RST brought about may be told,
// or be missed by the capture.
func (r *review) icmp() {
	told, wire := r.kinds[events.KindICMP], r.o.Captured.ICMP
	// The error about the RST that ends the connection finds it closed, and so does one about
	// the last probe that takes longer than the interval. (A RST that waits for ARP is not captured.)
	end := r.o.Captured.Reset
	if resets := r.kinds[events.KindReset]; end.IsZero() && len(resets) > 0 {
		end = resets[0].Time.Add(-apart)
	}
	if !end.IsZero() {
		wire = slices.DeleteFunc(slices.Clone(wire), func(i ICMPSeen) bool { return !i.Time.Before(end) })
	}
	if !r.can.ICMP {
		if len(told) > 0 {
			r.no("%s, which the backend cannot know", conn.Count(len(told), "icmp event"))
		}
		return
	}
	atLeast := min(len(wire), int(r.o.KeepaliveCount))
	atMost := max(len(wire), atLeast)
	if r.c.Expect.ICMP {
		atMost = max(atMost, int(r.o.KeepaliveCount)+r.o.Captured.ResetsOut)
	}
	if len(told) < atLeast || len(told) > atMost {
		r.no("%s, %d captured", conn.Count(len(told), "icmp event"), len(wire))
	}
	for i, e := range told[:min(len(told), len(wire))] {
		if e.ICMP.From != wire[i].From {
			r.no("icmp event %d says that it is from %v, the capture %v", i+1, e.ICMP.From, wire[i].From)
		}
		if e.ICMP.Type != wire[i].Type || e.ICMP.Code != wire[i].Code {
			r.no("icmp event %d says type %d code %d, the capture %d and %d",
				i+1, e.ICMP.Type, e.ICMP.Code, wire[i].Type, wire[i].Code)
		}
	}
}

// uneventful: firings that send nothing, and zero-window probes, where they were
// asked for and can be known.
func (r *review) uneventful() {
	timers, windows := r.kinds[events.KindTimer], r.kinds[events.KindWindowProbe]
	switch {
	case !r.can.TimerReasons && len(timers) > 0:
		r.no("%s, which were not asked for", conn.Count(len(timers), "timer event"))
	case r.can.TimerReasons && r.c.Expect.Timer != 0:
		if !slices.ContainsFunc(timers, func(e *events.Event) bool { return e.Reason == r.c.Expect.Timer }) {
			r.no("no timer event with reason %q", r.c.Expect.Timer)
		}
	}
	for _, e := range timers {
		if may := r.c.Expect.Writes || r.c.Expect.Timer == events.ReasonDataInFlight; e.Reason == events.ReasonDataInFlight && !may {
			r.no("timer event says reason %q", e.Reason)
		}
	}
	switch {
	case !r.can.WindowProbes && len(windows) > 0:
		r.no("%s, which were not asked for or cannot be known", conn.Count(len(windows), "window_probe event"))
	// tcp_write_wakeup may fill a nearly closed window with data, too.
	case r.can.WindowProbes && !between(len(r.o.Captured.WindowProbes), len(r.o.Captured.WindowProbes)+r.o.Captured.Data).holds(len(windows)):
		r.no("%s, %d captured", conn.Count(len(windows), "window_probe event"), len(r.o.Captured.WindowProbes))
	}
}

// probed: an event for each probe that the peer sends, where that can be known.
func (r *review) probed() {
	told := r.kinds[events.KindProbed]
	var wire []Probe
	for _, p := range r.o.Captured.Probed {
		if p.Data && r.can.ProbedByte || !p.Data && r.can.Probed {
			wire = append(wire, p)
		}
	}
	if len(told) != len(wire) {
		r.no("%s, and the peer sent %d that the backend can know", conn.Count(len(told), "probed event"), len(wire))
		return
	}
	for i, e := range told {
		if !r.near(e.Time, wire[i].Time) {
			r.no("probed event %d says %v later than the capture", i+1, round(e.Time.Sub(wire[i].Time)))
		}
	}
}

// verdicts: the last one is right as far as the backend can know, and those on
// the way were said.
func (r *review) verdicts() {
	want := []events.Verdict{r.c.Expect.Verdict}
	way := r.c.Expect.Said
	switch r.c.Expect.Verdict {
	case events.VerdictForgotten, events.VerdictAborted:
		if !r.can.RST {
			want = []events.Verdict{events.VerdictReset}
		}
	case events.VerdictUnreachable:
		if (r.c.Expect.ICMP && !r.can.ICMP) || (!r.c.Expect.ICMP && !r.can.SendErrors) {
			want = []events.Verdict{events.VerdictTimedOut}
		}
	case events.VerdictAlive:
		if !r.can.PromptAnswers && len(r.kinds[events.KindAnswer])+len(r.kinds[events.KindResumed]) == 0 {
			want = []events.Verdict{0} // it ended before the backend could know
		}
	default: // every backend knows it
	}
	if got := r.verdict(); !slices.Contains(want, got) {
		r.no("the verdict is %q in the end, not %q", got, want[0])
	}
	if !r.can.SendErrors {
		way = slices.DeleteFunc(slices.Clone(way), func(v events.Verdict) bool { return v == events.VerdictCongested })
	}
	for i := range r.all {
		if len(way) > 0 && r.all[i].Verdict == way[0] {
			way = way[1:]
		}
	}
	for _, missing := range way {
		r.no("the verdict was never %q when it should have been", missing)
	}
}
