// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
	"katrace/internal/incident"
)

// nanos is a wall clock time in nanoseconds since 1970; 0 means not known.
type nanos = int64

// sparkLen is the number of round trips kept for a connection.
const sparkLen = 12

// facts are what is known about one connection: what a row of the table and
// the detail pane show. A copy is deep enough to keep.
type facts struct {
	// First what ordering looks at, close together: a snapshot reads it of
	// every connection.
	id      uint64        // in the order of first sight, never used twice
	last    nanos         // its latest event
	listed  nanos         // when the latest listing looked at it; 0: never
	next    nanos         // when the timer fires next
	plan    time.Duration // how long the timer runs for that fires then, at the most
	slack   time.Duration // how late it may fire
	dies    nanos         // when the kernel gives up if the peer stays silent
	armed   bool          // next is later than the settings in force would set it (conn.Timer.ArmedBeforeChange)
	kind    events.Kind   // of the latest event
	verdict events.Verdict
	reason  events.Reason
	ended   bool // with an error that the application reads
	seen    bool // an event of it came; else a listing alone shows it
	ours    bool // this side's keepalive timer was seen, by an event or a listing

	// What a conn.State holds (see state), in less room.
	WaitsFor      conn.Waiting
	Family        conn.Family
	TCPState      conn.TCPState
	Has           conn.Fact // also HasSeq
	Netns         uint32
	Local, Remote netip.AddrPort
	Inode         uint64
	Unanswered    int
	*alike

	first   nanos  // its first event, or the first listing that showed it
	heard   nanos  // the latest segment from the peer
	version uint32 // counts changes of the owner and of errno
	seq     uint32

	probes, answers uint32 // seen so far
	ignored         ignored
	peer            peerProbes
	*rare

	rtts     [sparkLen]uint32 // microseconds, oldest first
	numRTT   uint8
	rttExact bool
	service  group.Port // of the two ports (Store.row)
}

// newFacts are those of a connection of which nothing is known.
func newFacts() facts { return facts{alike: &alike{}, rare: ordinary} }

// ID is conn.State's.
func (f *facts) ID() conn.ID {
	return conn.ID{Host: f.Host, Netns: f.Netns, Local: f.Local, Remote: f.Remote}
}

// state is all that a conn.State says of the connection.
func (f *facts) state() conn.State {
	return conn.State{
		Host: f.Host, Netns: f.Netns, Inode: f.Inode, Family: f.Family, TCPState: f.TCPState, Local: f.Local, Remote: f.Remote,
		Owner: f.Owner, Keepalive: f.Keepalive, Unanswered: f.Unanswered, WaitsFor: f.WaitsFor, Has: f.Has,
	}
}

// What conn.State says of it.
func (f *facts) endless() bool                     { s := f.state(); return s.Endless() }
func (f *facts) setCommand(settings string) string { s := f.state(); return s.SetCommand(settings) }
func (f *facts) appendOwner(dst []byte) []byte     { s := f.state(); return s.AppendOwner(dst) }

// setState is its opposite. in has what the connections of the Store share.
func (f *facts) setState(s *conn.State, in *alikes) {
	f.Netns, f.Inode, f.Family, f.TCPState, f.Local, f.Remote = s.Netns, s.Inode, s.Family, s.TCPState, s.Local, s.Remote
	f.Unanswered, f.WaitsFor, f.Has = s.Unanswered, s.WaitsFor, s.Has
	if c := (common{s.Host, s.Owner, s.Keepalive}); c != f.common {
		in.release(f.alike)
		f.alike = in.take(c)
	}
}

// entry is one connection in the Store.
type entry struct {
	index int32  // in Store.conns; -1: dropped
	place uint32 // in sorter.sorted
	round uint32 // of the latest snapshot that it was part of
	found uint32 // number of the latest listing that found it
	facts
	shown class // under which it is counted in Store.counts
	match matchCache
	story story
	alias *entry // of the same hash in Store.byConn
	// failure is what of it the Store's incident.Watch knows; nil: it is well.
	failure *incident.Failure
}

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

// end tells how the connection ended, but for the errno.
func (f *facts) end(e *events.Event) {
	e.Reason, e.RST, e.By = f.reason, f.rst, f.by
	f.data(e)
}

// data tells what stall took over.
func (f *facts) data(e *events.Event) {
	e.Retransmits, e.Unacked = int(f.retransmits), f.unacked
	e.Has |= f.Has & conn.HasUnacked
}

// latestRTT is the latest round trip; there has to be one.
func (f *facts) latestRTT() time.Duration {
	return time.Duration(f.rtts[f.numRTT-1]) * time.Microsecond
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

// unheard says that probes go unanswered, or that the connection ended by it.
func (f *facts) unheard() bool {
	cl := f.class()
	return cl.failing() || cl == classTimedOut || cl == classUnreachableEnded
}

// uncounted says that probes are unanswered, but not how many: more than the
// kernel's counter holds, by a listing.
func (f *facts) uncounted() bool { return f.Unanswered == 0 && f.verdict == events.VerdictSilent }

// onItsWay is how long after a firing its event may be on its way here.
const onItsWay = 2 * time.Second

// overdue tells whether the timer should have fired by now, with the slack
// that the kernel's timers have, and nothing was heard of it.
func (f *facts) overdue(now nanos) bool {
	return !f.ended && f.next != 0 && now > f.next+int64(f.slack+onItsWay)
}

// byListing tells whether a listing alone says how the connection is: no event
// came, or data was sent since the latest.
func (f *facts) byListing() bool {
	return !f.seen || f.listed > f.last && f.verdict == events.VerdictSuspended
}

// event makes the facts an Event again: the latest one, with what the earlier
// ones told. Where a listing says how the connection is it has no kind.
func (f *facts) event() events.Event {
	at, kind := f.last, f.kind
	if f.byListing() {
		at, kind = f.listed, 0
	}
	e := events.Event{
		State:   f.state(),
		Time:    time.Unix(0, at).UTC(),
		Kind:    kind,
		Seq:     f.seq,
		Verdict: f.verdict,
	}
	e.Has &^= conn.HasUnacked     // data() tells it, where the event does
	if kind != events.KindProbe { // a probe's alone
		e.Has &^= events.HasSeq
	}
	if kind != 0 { // a listing's alone
		e.WaitsFor = 0
	}
	if e.Has |= conn.HasUnanswered; f.uncounted() {
		e.Has &^= conn.HasUnanswered
	}
	if f.heard != 0 && f.heard <= at {
		e.Has |= conn.HasIdleFor
		e.IdleFor = time.Duration(at - f.heard)
	}
	if f.next != 0 {
		e.Has |= conn.HasNext
		e.Next = time.Duration(f.next - at)
		e.ArmedBeforeChange = f.armed
	}
	if f.dies != 0 {
		e.Has |= conn.HasDiesIn
		e.DiesIn = time.Duration(f.dies - at)
	}
	switch kind {
	case 0:
		if f.verdict == events.VerdictSuspended {
			f.data(&e)
		}
	case events.KindProbe:
		e.SendError = f.sendError
	case events.KindAnswer:
		if f.numRTT > 0 {
			e.Has |= events.HasRTT
			e.RTT = f.latestRTT()
			e.RTTExact = f.rttExact
		}
	case events.KindICMP:
		e.ICMP = f.icmp
	case events.KindDropped:
		if f.drop != nil {
			e.Drop = *f.drop
		}
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		f.end(&e)
		e.Errno = f.errno
	case events.KindTimer:
		e.Reason = f.reason
	case events.KindSuspended:
		e.WaitsFor = f.WaitsFor
		f.data(&e)
	case events.KindResumed:
		e.WaitsFor = f.WaitsFor
	default: // it has no facts of its own
	}
	return e
}
