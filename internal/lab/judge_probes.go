// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"slices"

	"katrace/internal/events"
)

// refused says that the event's segment found the own queue full, and is no
// probe to the kernel's count of unanswered ones.
func refused(e *events.Event) bool { return e.SendError == events.Congested }

// probes: as many events as the kernel counts and the capture shows, with their
// sequence numbers, and a right count of those unanswered.
func (r *review) probes() {
	told := r.kinds[events.KindProbe]
	wire := r.o.Captured.Probes
	counted := int(r.o.KeepaliveCount)
	if !r.can.SendErrors && slices.Contains(r.c.Expect.SendError, events.Congested) {
		counted = len(wire) // a full queue looks like no try at all
	}
	if len(told) != counted {
		r.no("%s, the kernel counts %d", plural(len(told), "probe event"), counted)
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
	// Without SendErrors probes that do not leave look as if they did; where the
	// kernel itself does not know, to every backend.
	if r.c.Expect.Swallowed || (!r.can.SendErrors && r.c.Expect.Wire == exactly(0)) {
		r.unanswered(told)
		return
	}
	if len(left) != len(wire) {
		r.no("%s say that the segment left, %d captured", plural(len(left), "probe event"), len(wire))
		return
	}
	for i, e := range left {
		if e.Has&events.HasSeq != 0 && e.Seq != wire[i].Seq {
			r.no("probe %d says sequence number %d, the capture %d", i+1, e.Seq, wire[i].Seq)
		}
		if !r.near(e.Time, wire[i].Time) {
			r.no("probe %d says %v later than the capture", i+1, round(e.Time.Sub(wire[i].Time)))
		}
		idle := wire[i].Time.Sub(wire[i].Heard)
		if e.Has&events.HasIdleFor != 0 && (e.IdleFor-idle).Abs() > r.can.Slack {
			r.no("probe %d says idle for %v, the capture %v", i+1, round(e.IdleFor), round(idle))
		}
	}
	r.unanswered(told)
}

// unanswered: the count goes up with every probe that is sent, and starts over
// when the capture shows an answer.
func (r *review) unanswered(told []*events.Event) {
	count, sent := 0, 0
	for i, e := range told {
		if !refused(e) {
			count++
		}
		switch {
		case e.Has&events.HasUnanswered == 0:
			r.no("probe %d does not say how many are unanswered", i+1)
		case e.Unanswered != count:
			r.no("probe %d says %d unanswered, not %d", i+1, e.Unanswered, count)
		}
		if e.SendError == "" && sent < len(r.o.Captured.Probes) {
			if r.o.Captured.Probes[sent].Answered() {
				count = 0
			}
			sent++
		}
	}
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
		r.no("%s, %d captured", plural(len(told), "answer event"), answered)
		return
	}
	probes := slices.DeleteFunc(slices.Clone(wire.Probes), func(p Probe) bool { return !p.Answered() })
	for i, e := range told {
		took := probes[i].Answer.Sub(probes[i].Time)
		if e.Has&events.HasRTT != 0 && (e.RTT-took).Abs() > r.can.Slack {
			r.no("answer %d says a round trip of %v, the capture %v", i+1, e.RTT, took)
		}
		if e.Has&events.HasRTT == 0 && e.RTTExact {
			r.no("answer %d says that its round trip is exact, and does not say it", i+1)
		}
		if e.Verdict != events.VerdictAlive {
			r.no("answer %d says verdict %q", i+1, e.Verdict)
		}
	}
}

// predictions: when the timer fires next and when the kernel gives up, as they
// then come true.
func (r *review) predictions() {
	for _, e := range r.kinds[events.KindEnabled] {
		if e.State == events.StateSynSent && e.Has&events.HasDiesIn != 0 {
			r.no("enabled event says that keepalive gives up in %v, which it does not before the connection is made", round(e.DiesIn))
		}
	}
	told := r.kinds[events.KindProbe]
	gaveUp := r.c.Expect.End == ByKeepalive && !r.o.Died().IsZero()
	for i, e := range told {
		if e.Has&events.HasNext == 0 {
			r.no("probe %d does not say when the timer fires next", i+1)
		}
		if e.Has&events.HasDiesIn == 0 && !refused(e) {
			r.no("probe %d does not say when the kernel gives up", i+1)
		}
		// An answer puts the next firing off to a full idle time.
		switch next := e.Time.Add(e.Next); {
		case e.Has&events.HasNext == 0:
		case i+1 < len(told) && !r.near(next, told[i+1].Time):
			r.no("probe %d says that the timer fires in %v, it fired after %v",
				i+1, round(e.Next), round(told[i+1].Time.Sub(e.Time)))
		case i+1 == len(told) && gaveUp && !r.near(next, r.o.Died()):
			r.no("probe %d says that the timer fires in %v, the end came after %v",
				i+1, round(e.Next), round(r.o.Died().Sub(e.Time)))
		}
		if gaveUp && e.Has&events.HasDiesIn != 0 && !r.near(e.Time.Add(e.DiesIn), r.o.Died()) {
			r.no("probe %d says that the kernel gives up in %v, it did after %v",
				i+1, round(e.DiesIn), round(r.o.Died().Sub(e.Time)))
		}
	}
}
