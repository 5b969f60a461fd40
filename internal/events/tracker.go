// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/loader"
	"katrace/internal/near"
)

// Tracker turns the kernel's records into events: it knows each connection's
// story so far, and so the verdict. Not safe for concurrent use.
type Tracker struct {
	clock clock
	conns near.Table[*story] // by the socket's address
	event Event              // the one being told, used again
	// passing is the story of a connection that is not followed, used again.
	passing story
	// counts are the stories by their verdict.
	counts Connections
	// drops names what records of dropped segments hold in numbers; nil: nothing.
	drops dropNames
}

// story is what is remembered of a connection between its records. There may be a
// million, so it has 64 bytes, which a processor reads at once.
type story struct {
	of tuple
	// heardAt is the boot clock of the peer's last segment before the last probe.
	heardAt time.Duration
	// unanswered is the kernel's count of probes (icsk_probes_out), which has 8
	// bits, carried on beyond them; wrapped: it had wrapped before the first record.
	unanswered uint32
	// unheard counts the probes told since the peer was last heard; whole: none was
	// sent before the first record.
	unheard     uint32
	unreachable bool // an ICMP or local send error since the peer was last heard
	wrapped     bool
	whole       bool
	heard       bool    // the peer was heard after the last probe told
	kept        bool    // in Tracker.conns
	verdict     Verdict // the latest; 0: nothing is known yet
	failing     Change  // ChangeSilent or ChangeUnreachable, since the peer was last heard
}

// tuple is what tells a connection from others, as a record has it.
type tuple struct {
	local, remote         [16]byte
	localPort, remotePort uint16
	netns                 uint32
}

const noIPv6 = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

func tupleOf(r *loader.Record) tuple {
	t := tuple{r.Local, r.Remote, r.LocalPort, r.RemotePort, r.Netns}
	if r.Family == afInet { // in the first four bytes; no address of IPv6 ends as these do
		copy(t.local[4:], noIPv6)
		copy(t.remote[4:], noIPv6)
	}
	return t
}

// sockUnit: no struct tcp_sock is smaller than 2048 bytes.
const sockUnit = 11

// NewTracker makes a Tracker for a kernel whose tick is jiffy long.
func NewTracker(jiffy time.Duration) *Tracker {
	return &Tracker{clock: newClock(jiffy, readClock), conns: near.Table[*story]{Unit: sockUnit}}
}

// NameDrops tells the tracker who names reasons and places of dropped segments.
// Without it none is told of.
func (t *Tracker) NameDrops(by dropNames) { t.drops = by }

// SetClock reads the wall clock again, and says by how much it was set since
// then: 0 where it was not. It is called every second or so: times follow the
// wall clock.
func (t *Tracker) SetClock() time.Duration { return t.clock.set() }

// Record takes a record and tells the one or two events it stands for. The
// Event is only valid during the call of tell.
func (t *Tracker) Record(r *loader.Record, tell func(*Event) error) error {
	s := t.story(r)
	if r.Flags&loader.FlagAnswered != 0 {
		if err := t.answer(r, s, tell); err != nil {
			return err
		}
	}
	if r.Kind == loader.RecordUntold {
		s.untold(r, t.clock.span)
		return nil
	}
	e := t.start(r)
	switch r.Kind {
	case loader.RecordAnswer:
		return nil // told above
	case loader.RecordProbe:
		e.Kind = KindProbe
		t.probe(r, s, e)
	case loader.RecordReset:
		e.Kind = KindReset
		e.Reason = Reason(r.Reason)
		e.Errno = readErrno(r.Ret)
		s.count(r, e)
		e.Verdict = s.givenUp(e.Errno)
	case loader.RecordPeerReset:
		e.Kind = KindPeerReset
		e.Errno = readErrno(r.Ret)
		s.count(r, e)
		e.RST = RST(r.Reason)
		e.Verdict = verdictOf(e.RST)
	case loader.RecordTimer:
		e.Kind = KindTimer
		e.Reason = Reason(r.Reason)
		if e.Reason == ReasonDataInFlight {
			e.Verdict = VerdictSuspended // icsk_probes_out may count zero-window probes now
		} else {
			s.count(r, e)
		}
		e.setNext(e.Reason, r.Probes)
	case loader.RecordWindowProbe:
		e.Kind = KindWindowProbe
		e.Unanswered, e.Has = int(r.Probes), e.Has|conn.HasUnanswered
		e.Verdict = VerdictSuspended
	case loader.RecordICMP:
		e.Kind = KindICMP
		t.icmp(r, s, e)
	case loader.RecordDropped:
		e.Kind = KindDropped
		if !t.drop(r, e) {
			return nil
		}
		s.count(r, e)
	case loader.RecordProbed:
		e.Kind = KindProbed
		e.Has &^= conn.HasIdleFor // a probe is old data and does not count as heard
	case loader.RecordEnabled:
		e.Kind = KindEnabled
		if r.Pid != 0 {
			e.Process, e.Has = conn.Process{PID: int(r.Pid), Comm: cString(r.Comm[:])}, e.Has|HasDoer
		}
		// tcp_set_keepalive() arms the timer for the whole of Idle, whatever the
		// connection has been idle for by then.
		e.Next = e.Keepalive.Idle
		e.Has |= conn.HasNext
		if e.TCPState != conn.TCPSynSent { // not connected: the firing does nothing
			e.DiesIn = e.Keepalive.DiesIn(int(r.Probes), e.IdleFor, e.Next)
			e.Has |= conn.HasDiesIn
			e.ArmedBeforeChange = e.Keepalive.Overlong(false, e.IdleFor, e.Next, t.clock.hz)
		}
	case loader.RecordSuspended:
		e.Kind = KindSuspended
		t.suspended(r, e)
	case loader.RecordResumed:
		e.Kind = KindResumed
		e.WaitsFor, e.Verdict = conn.Waiting(r.Waits), VerdictAlive
		// That the peer was heard is told by the answer, if a probe was out: it
		// comes at the same firing, and says after how many.
	case loader.RecordEnded:
		t.forget(r.Sk)
		if r.LocalPort == 0 {
			return nil // as below
		}
		e.Kind = KindEnded
		t.ended(r, s, e)
	case loader.RecordClosed:
		t.forget(r.Sk)
		if r.LocalPort == 0 {
			return nil // not known which connection it was
		}
		if r.Flags&loader.FlagGaveUp != 0 {
			return nil // the end has been told
		}
		e.Kind = KindClosed
	default:
		return nil // a newer object than this decoder: not possible within one binary
	}
	e.Change = s.changed(e)
	t.count(s, e)
	return tell(e)
}

// story finds the connection's story, a new one if the address is now another
// connection's (the record of the old one's end was lost). It is kept until
// the end, if that will be told.
func (t *Tracker) story(r *loader.Record) *story {
	of := tupleOf(r)
	s, kept := t.conns.Get(r.Sk)
	if kept && s.of == of {
		return s
	}
	s = &t.passing
	if r.Flags&loader.FlagFollowed != 0 {
		t.forget(r.Sk)
		s = new(story)
		t.conns.Put(r.Sk, s)
		t.counts[0]++
	}
	*s = story{of: of, kept: s != &t.passing}
	return s
}

// hear notes that the peer was heard.
func (s *story) hear() { s.unreachable, s.unheard, s.whole, s.heard = false, 0, true, true }

// untold takes over the story as it was before the connection's next record, where
// records were not made because they changed nothing (loader.Options.Quiet).
func (s *story) untold(r *loader.Record, span func(uint32) time.Duration) {
	s.unheard, s.unanswered = r.Rtt, r.Seq
	s.heard = r.Reason&loader.StoryHeard != 0
	s.whole = r.Reason&loader.StoryWhole != 0
	s.wrapped = r.Reason&loader.StoryWrapped != 0
	s.heardAt = time.Duration(r.Time) - span(r.IdleFor)
	s.unreachable, s.failing = false, 0
	switch {
	case r.Reason&loader.StoryUnreachable != 0:
		s.unreachable, s.failing = true, ChangeUnreachable
	case r.Reason&loader.StorySilent != 0:
		s.failing = ChangeSilent
	}
}

// count takes over the kernel's count of unanswered probes, and tells it: what
// the kernel decides by, carried on beyond its 8 bits. It is absent where more
// than 255 may have gone before the first record.
func (s *story) count(r *loader.Record, e *Event) {
	const limit = 1 << 8
	was, now := s.unanswered, uint32(r.Probes)
	switch {
	case was == 0 && !s.wrapped: // the first record, or a count that begins
		k := &e.Keepalive
		// Without a user timeout the kernel gives up at 127 probes at most. A first
		// probe after such a time may also be one whose timer was set long before.
		s.wrapped = e.Has&conn.HasIdleFor != 0 && k.UserTimeout > 0 && k.Interval > 0 && e.IdleFor >= k.Idle+(limit-1)*k.Interval
	case s.heard && now <= 1: // an ACK has set the count to 0
		s.wrapped = false
	case now < was%limit && was%limit >= limit-16 && now < 16:
		now += was - was%limit + limit
	case now < was%limit:
		s.wrapped = false // it fell to 0, and what told it is lost
	default:
		now += was - was%limit
	}
	s.unanswered = now
	if !s.wrapped {
		e.Unanswered, e.Has = int(now), e.Has|conn.HasUnanswered
	}
}

func (t *Tracker) start(r *loader.Record) *Event {
	e := &t.event
	*e = Event{}
	t.clock.decodeSocket(r, e)
	e.Family, e.Local, e.Remote = decodeTuple(r)
	return e
}

func (t *Tracker) answer(r *loader.Record, s *story, tell func(*Event) error) error {
	e := t.start(r)
	e.Kind = KindAnswer
	s.recovery(r, e, t.clock.span)
	s.hear()
	e.Verdict = VerdictAlive
	if r.Flags&loader.FlagRTT != 0 {
		e.Has |= HasRTT
		if e.RTTExact = r.Flags&loader.FlagRTTExact != 0; e.RTTExact {
			e.RTT = time.Duration(r.Rtt)
		} else {
			e.RTT = t.clock.span(r.Rtt)
		}
	}
	if r.Kind == loader.RecordAnswer {
		if r.Probes > 0 {
			s.count(r, e) // only data was heard: the kernel counts on from here
		}
		e.setNext(Reason(r.Reason), r.Probes)
	}
	e.Change = s.changed(e)
	t.count(s, e)
	return tell(e)
}

func (t *Tracker) probe(r *loader.Record, s *story, e *Event) {
	e.Seq = r.Seq
	e.Has |= HasSeq | conn.HasNext
	if r.Ret <= 0 && r.Probes == 1 && s.unanswered%256 != 0 {
		// Every ACK clears icsk_probes_out: the peer was heard since the probe
		// before, also where the record of its answer was lost.
		s.hear()
		s.failing = 0
	}
	s.count(r, e)
	if r.Ret > 0 {
		e.SendError = Congested
		e.Verdict = VerdictCongested
		e.Next = conn.RetryCongested
		return
	}
	s.heard = false
	s.heardAt = time.Duration(r.Time) - e.IdleFor
	s.unheard++
	s.whole = s.whole || r.Probes == 1 // or the 257th: then it is not known to be silent
	if r.Ret < 0 {
		e.SendError = errnoName(-r.Ret)
		s.unreachable = true
	}
	// The second probe without an answer, also where the first was sent before
	// katrace began: then it shows in the time.
	silent := s.unheard > 1 || !s.whole && (s.wrapped || s.unanswered > 1) && e.IdleFor >= e.Keepalive.Idle+e.Keepalive.Interval
	switch {
	case s.unreachable:
		e.Verdict = VerdictUnreachable
	case silent:
		e.Verdict = VerdictSilent
	}
	e.Next = e.Keepalive.Interval
	e.DiesIn = e.Keepalive.DiesIn(int(r.Probes), e.IdleFor, e.Next)
	e.Has |= conn.HasDiesIn
}

// Congested is the SendError of a probe that the local queue refused
// (tcp_write_wakeup returned > 0). The kernel does not count such a probe.
const Congested = "congested"

// setNext sets when the timer fires next, after a firing that sent nothing for
// that reason, and what then becomes of a peer that stays silent. probes is the
// kernel's count, which goes on where only data was heard.
func (e *Event) setNext(why Reason, probes uint8) {
	switch why {
	case ReasonNotIdle:
		e.Next = e.Keepalive.Idle - e.IdleFor
		e.DiesIn = e.Keepalive.DiesIn(int(probes), e.IdleFor, e.Next)
		e.Has |= conn.HasNext | conn.HasDiesIn
	case ReasonDataInFlight:
		e.Next = e.Keepalive.Idle
		e.Has |= conn.HasNext
	case ReasonSocketBusy:
		e.Next = conn.RetryBusy
		e.Has |= conn.HasNext
	default: // not known, or no keepalive timer runs
	}
}

// givenUp is the verdict on a peer that a timer of the kernel's gave up. Another
// errno than ETIMEDOUT is what an ICMP error left (sk_err_soft).
func (s *story) givenUp(errno string) Verdict {
	if s.unreachable || errno != "ETIMEDOUT" && errno != "" {
		return VerdictUnreachable
	}
	return VerdictTimedOut
}

// verdictOf is what a RST means for the peer.
func verdictOf(rst RST) Verdict {
	switch rst {
	case RSTUnknownConnection:
		return VerdictForgotten
	case RSTAbort:
		return VerdictAborted
	default:
		return VerdictReset
	}
}
