// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"net/netip"
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
