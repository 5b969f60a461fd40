// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"slices"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// refused says that the event's segment found the own queue full, and is no
// probe to the kernel's count of unanswered ones.
func refused(e *events.Event) bool { return e.SendError == events.Congested }

// probes: as many events as the kernel counts and the capture shows, but for what
// is reported as missed, with their sequence numbers.
func (r *review) probes() {
	told := r.kinds[events.KindProbe]
	wire := r.o.Captured.Probes
	counted := int(r.o.KeepaliveCount)
	if !r.can.SendErrors && slices.Contains(r.c.Expect.SendError, events.Congested) {
		counted = len(wire) // a full queue looks like no try at all
	}
	r.missing = counted - len(told)
	switch {
	case r.missing < 0 || r.missing > 0 && r.hidden == 0:
		r.no("%s, the kernel counts %d", conn.Count(len(told), "probe event"), counted)
	case r.missing > r.hidden:
		r.no("%s and %d reported as missed, the kernel counts %d", conn.Count(len(told), "probe event"), r.hidden, counted)
	}
	var left []*events.Event // as far as is told
	for i, e := range told {
		if e.SendError == "" {
			left = append(left, e)
		} else if !r.can.SendErrors {
			r.no("probe %d says %s, which the backend cannot know", i+1, e.SendError)
		} else if !slices.Contains(r.c.Expect.SendError, e.SendError) {
			r.no("probe %d says %s", i+1, e.SendError)
		}
	}
	r.left = r.match(told)
	captured := 0
	for i, e := range told {
		if r.left[i] < 0 {
			continue
		}
		p := wire[r.left[i]]
		captured++
		if e.Has&events.HasSeq != 0 && e.Seq != p.Seq {
			r.no("probe %d says sequence number %d, the capture %d", i+1, e.Seq, p.Seq)
		}
		if !r.near(e.Time, p.Time) {
			r.no("probe %d says %v later than the capture", i+1, round(e.Time.Sub(p.Time)))
		}
		idle := p.Time.Sub(p.Heard)
		if e.Has&conn.HasIdleFor != 0 && (e.IdleFor-idle).Abs() > r.can.Slack {
			r.no("probe %d says idle for %v, the capture %v", i+1, round(e.IdleFor), round(idle))
		}
	}
	// Without SendErrors probes that do not leave look as if they did; where the
	// kernel itself does not know, to every backend.
	unknown := r.c.Expect.Swallowed || (!r.can.SendErrors && len(r.c.Expect.SendError) > 0)
	if n := len(left); captured+max(0, min(r.missing, r.hidden)) < len(wire) || (!unknown && n != captured) {
		r.no("%s say that the segment left, %d captured", conn.Count(n, "probe event"), len(wire))
	}
}

// match finds each probe event's segment in the capture: those that left are
// there in their order. Where it is not told whether they left, or some are
// missing, it is by their times.
func (r *review) match(told []*events.Event) []int {
	found := make([]int, len(told))
	wire := r.o.Captured.Probes
	next := 0
	gaps := max(0, min(r.missing, r.hidden))
	for i, e := range told {
		found[i] = -1
		if e.SendError != "" || next >= len(wire) {
			continue
		}
		at := next
		for j := next + 1; j <= next+gaps && j < len(wire); j++ {
			if e.Time.Sub(wire[j].Time).Abs() < e.Time.Sub(wire[at].Time).Abs() {
				at = j
			}
		}
		inDoubt := !r.can.SendErrors && len(r.c.Expect.SendError) > 0
		if !inDoubt || r.near(e.Time, wire[at].Time) {
			gaps -= at - next
			found[i], next = at, at+1
		}
	}
	return found
}

// unanswered: the count goes up with every probe that is sent, and starts over
// when the peer was heard, unless the kernel's own, by which it gives up, goes
// on. The peer is silent where two or more are unanswered since it was heard.
func (r *review) unanswered() {
	count, silent, probe, wire := 0, 0, 0, r.o.Captured.Probes
	onWire := 0 // captured probes that are counted
	// The answer to the last of them, and the count until it came.
	var answer time.Time
	before := 0
	// seen counts what is on the wire up to there, told or missing.
	seen := func(end int) {
		for ; onWire < end; onWire++ {
			count++
			silent++
			p := wire[onWire]
			answer, before = p.Answer, count
			if !p.Answered() {
				continue
			}
			silent = 0
			if !p.Data || !r.c.Expect.KeepCount {
				count = 0
			}
		}
	}
	for i := range r.all {
		e := &r.all[i]
		switch e.Kind {
		case events.KindProbe:
			probe++
			at := r.left[probe-1]
			if at >= 0 {
				seen(at)
			}
			if !refused(e) {
				count++
				silent++
			}
			if e.Has&conn.HasUnanswered == 0 {
				r.no("probe %d does not say how many are unanswered", probe)
			} else if e.Unanswered != count {
				r.no("probe %d says %d unanswered, not %d", probe, e.Unanswered, count)
			}
			switch said := e.Verdict == events.VerdictSilent; {
			case said && silent < 2:
				r.no("probe %d says verdict %q, %d unanswered since the peer was heard", probe, e.Verdict, silent)
			case !said && silent >= 2 && e.Verdict != events.VerdictUnreachable && !refused(e):
				r.no("probe %d says verdict %q, %d unanswered since the peer was heard", probe, e.Verdict, silent)
			}
			if at >= 0 { // count it with what came after it
				count--
				silent--
				seen(at + 1)
			}
		case events.KindReset, events.KindPeerReset, events.KindTimer:
			if e.Kind == events.KindReset {
				seen(len(wire))
			}
			// Zero-window probes have a part in the count while data is in flight.
			if e.Has&conn.HasUnanswered != 0 && e.Reason != events.ReasonDataInFlight && e.Unanswered != count &&
				!(e.Unanswered == before && r.unheard(e, answer)) {
				r.no("%s event says %d unanswered, not %d", e.Kind, e.Unanswered, count)
			}
		default: // does not count probes
		}
	}
}

// unheard says that the firing may have come before the socket took the answer: the segment
// comes later, or beside the firing, or waits until a process lets go of the socket.
func (r *review) unheard(e *events.Event, answer time.Time) bool {
	return e.Kind == events.KindTimer && !answer.IsZero() &&
		(e.Reason == events.ReasonSocketBusy || e.Time.Before(answer.Add(r.can.Slack)))
}

// answers: one for each probe that the capture shows to be answered. A backend
// that learns of an answer when the timer fires next may not learn of the last.
func (r *review) answers() {
	told, wire := r.kinds[events.KindAnswer], &r.o.Captured
	answered := wire.Answers()
	atLeast := answered
	if n := len(wire.Probes); !r.can.PromptAnswers && n > 0 && wire.Probes[n-1].Answered() {
		atLeast--
	}
	if len(told) < atLeast || len(told) > answered {
		r.no("%s, %d captured", conn.Count(len(told), "answer event"), answered)
		return
	}
	heard := heardAfter(wire.Probes)
	for i, e := range told {
		p := heard[i]
		took, data := p.Answer.Sub(p.Time), p.Data
		if e.RTTExact && !p.Reply.IsZero() {
			took, data = p.Reply.Sub(p.Time), false
		}
		switch said := e.Has&events.HasRTT != 0; {
		case said && data:
			r.no("answer %d says a round trip of %v, and the peer sent data by itself", i+1, round(e.RTT))
		case said && (e.RTT-took).Abs() > r.can.Slack:
			r.no("answer %d says a round trip of %v, the capture %v", i+1, e.RTT, took)
		case !said && e.RTTExact:
			r.no("answer %d says that its round trip is exact, and does not say it", i+1)
		case !said && p.alone && !p.Data && !r.closing(e) && (r.can.PromptAnswers || !p.More):
			r.no("answer %d does not say its round trip", i+1)
		}
		if r.can.PromptAnswers && !r.near(e.Time, p.Answer) {
			r.no("answer %d says %v later than the capture", i+1, round(e.Time.Sub(p.Answer)))
		}
		if e.Verdict != events.VerdictAlive {
			r.no("answer %d says verdict %q", i+1, e.Verdict)
		}
	}
}

// answered is a probe after which the peer was heard.
type answered struct {
	Probe
	alone bool // it was the only one since the peer was heard before: what answers it is known
}

func heardAfter(probes []Probe) (heard []answered) {
	out := 0
	for _, p := range probes {
		out++
		if p.Answered() {
			heard = append(heard, answered{p, out == 1})
			out = 0
		}
	}
	return heard
}

// apart is how far the events' clock and the lab's are, at the most.
const apart = 100 * time.Millisecond

// closing says that the event is told while the lab closes the connection: this
// side's FIN is out, and what comes then may acknowledge that as well.
func (r *review) closing(e *events.Event) bool {
	return !r.o.Closing.IsZero() && e.Time.Add(apart).After(r.o.Closing)
}
