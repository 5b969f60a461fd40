// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"math"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// apply takes over what an event says about the connection.
func (f *facts) apply(e *events.Event, in *alikes) {
	at := e.Time.UnixNano()
	if f.first == 0 {
		f.first = at
	}
	f.last, f.kind, f.seen = at, e.Kind, true
	f.ours = f.ours || e.Kind != events.KindProbed
	f.applySocket(e, at, in)
	f.applyVerdict(e)
	if e.Reason != 0 {
		f.reason = e.Reason
	}
	f.applyTimer(e, at)
	switch e.Kind {
	case events.KindProbe:
		f.probes++
		f.setSendError(e.SendError)
	case events.KindAnswer:
		f.answers++
		f.setSendError("")
		f.setDrop(nil)
		f.ignored.answer(e)
		if e.Has&events.HasRTT != 0 {
			f.addRTT(e.RTT, e.RTTExact)
		}
	case events.KindICMP:
		f.setRare(func(r *rare) { r.icmp, r.icmpAt = e.ICMP, at })
	case events.KindDropped:
		d := cloneDrop(e.Drop)
		f.setDrop(&d)
	case events.KindProbed:
		f.peer.add(at)
	case events.KindSuspended:
		f.stall(e)
		f.next = 0 // the firings until it is over are no events
	case events.KindResumed:
		f.setDrop(nil)
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		f.ended = true
		f.next, f.dies = 0, 0
		f.reason = e.Reason
		f.stall(e)
		f.setRare(func(r *rare) {
			r.rst, r.by = e.RST, e.By
			keep(&r.errno, e.Errno)
		})
		f.version++
	default: // the State, the verdict and the timer are all there is to it
	}
}

// set takes over what katrace set made of the settings. When the timer fires then is
// not known.
func (f *facts) set(s *events.Set, in *alikes) {
	if s == nil {
		return
	}
	v, state := &s.After, f.state()
	k := &state.Keepalive
	for _, one := range [...]struct {
		is   conn.Field
		from conn.Setting
		set  func()
	}{
		{conn.FieldIdle, conn.SettingIdle, func() { k.Idle = v.Idle }},
		{conn.FieldInterval, conn.SettingInterval, func() { k.Interval = v.Interval }},
		{conn.FieldCount, conn.SettingCount, func() { k.Count = v.Count }},
		{conn.FieldUserTimeout, 0, func() { k.UserTimeout = v.UserTimeout }},
	} {
		if v.Differs(&s.Before)&one.is != 0 {
			one.set()
			k.Inherited &^= one.from
		}
	}
	f.setState(&state, in)
	f.next, f.dies, f.armed = 0, 0, false
}

// applySocket takes over what the socket is, and how it is set.
func (f *facts) applySocket(e *events.Event, at nanos, in *alikes) {
	s := f.state()
	if e.Verdict != events.VerdictSuspended { // a firing that sends nothing does not say for what
		s.WaitsFor = 0
	}
	if s.Merge(&e.State) {
		f.version++
	}
	f.setState(&s, in)
	if e.Has&events.HasSeq != 0 {
		f.seq, f.Has = e.Seq, f.Has|events.HasSeq
	}
	switch {
	case e.Has&conn.HasIdleFor != 0:
		f.heard = at - int64(e.IdleFor)
	case e.Kind == events.KindAnswer:
		f.heard = at
	}
}

// lendOwner gives an event of the log the owner that the row has: the log shows
// and a filter finds what the table does.
func (f *facts) lendOwner(e *events.Event) {
	if e != nil {
		e.Owner, e.Has = f.Owner, e.Has|f.Has&conn.HasUID
	}
}

// applyVerdict takes over the verdict. An event without one leaves that of a
// peer that answered before as it is, and ends what only held for the moment.
func (f *facts) applyVerdict(e *events.Event) {
	switch {
	case e.Verdict != 0, e.Kind == events.KindEnded: // without one: nobody is known to have ended it
		f.verdict = e.Verdict
	case f.verdict == events.VerdictAlive:
	case e.Kind == events.KindProbe, e.Kind == events.KindTimer && e.Reason == events.ReasonNotIdle:
		f.verdict = 0
	}
}

// staysWell says that the event is a probe or an answer of a connection that was well
// and is: that there was one is all that it says, beside when the timer fires.
func (c *entry) staysWell(e *events.Event) bool {
	return (e.Kind == events.KindProbe || e.Kind == events.KindAnswer) && e.Change == 0 && (e.Verdict == 0 || e.Verdict == events.VerdictAlive) &&
		c.seen && c.shown.well() && c.failure == nil && e.Process.PID == c.Process.PID && e.HeldBy == c.HeldBy
}

// applyTimer takes over the counts and predictions.
func (f *facts) applyTimer(e *events.Event, at nanos) {
	if e.Kind == events.KindAnswer && e.Has&conn.HasUnanswered == 0 {
		f.Unanswered = 0
	}
	if e.Has&conn.HasNext != 0 {
		f.next, f.plan, f.armed = at+int64(e.Next), e.Next, e.ArmedBeforeChange
	}
	switch {
	case e.Has&conn.HasDiesIn != 0:
		f.dies = at + int64(e.DiesIn)
	case e.Has&conn.HasNext != 0, e.Kind == events.KindAnswer:
		f.dies = 0 // a new plan without a giving up, or the old one is void
	}
}

// stall takes over what became of the data.
func (f *facts) stall(e *events.Event) {
	if n := uint8(min(max(e.Retransmits, 0), math.MaxUint8)); n != f.retransmits || e.Unacked != f.unacked {
		f.setRare(func(r *rare) { r.retransmits, r.unacked = n, e.Unacked })
	}
	f.Has = f.Has&^conn.HasUnacked | e.Has&conn.HasUnacked
}

func (f *facts) addRTT(d time.Duration, exact bool) {
	us := uint32(min(max(d.Microseconds(), 0), 1<<32-1))
	if f.numRTT == sparkLen {
		copy(f.rtts[:], f.rtts[1:])
		f.numRTT--
	}
	f.rtts[f.numRTT] = us
	f.numRTT++
	f.rttExact = exact
}

func (f *facts) setSendError(text string) {
	if text != f.sendError {
		f.setRare(func(r *rare) { keep(&r.sendError, text) })
	}
}

func (f *facts) setDrop(d *events.Drop) {
	if d != f.drop {
		f.setRare(func(r *rare) { r.drop = d })
	}
}

// keep sets *dst to a copy of s if it differs: the copy does not hold on to
// the buffer that s may be a part of.
func keep(dst *string, s string) {
	if *dst != s {
		*dst = strings.Clone(s)
	}
}

// cloneDrop copies a drop whose strings may be parts of a buffer.
func cloneDrop(d events.Drop) events.Drop {
	d.Reason, d.Text, d.Where = strings.Clone(d.Reason), strings.Clone(d.Text), strings.Clone(d.Where)
	return d
}
