// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// Each case is a connection's life: what the kernel's programs record, and
// beside it what is told. Times, the socket and the settings are those of
// probeRecord; wants only say what matters, the rest is filled in by want.

type step struct {
	in   func(*loader.Record)
	want []Event
}

// rec makes a record of this kind with so many probes out.
func rec(kind, probes uint8, set ...func(*loader.Record)) func(*loader.Record) {
	return func(r *loader.Record) {
		r.Kind, r.Probes, r.Flags = kind, probes, loader.FlagFollowed
		for _, s := range set {
			s(r)
		}
	}
}

func flags(f uint8) func(*loader.Record)     { return func(r *loader.Record) { r.Flags |= f } }
func ret(n int32) func(*loader.Record)       { return func(r *loader.Record) { r.Ret = n } }
func rtt(n uint32) func(*loader.Record)      { return func(r *loader.Record) { r.Rtt = n } }
func reason(n Reason) func(*loader.Record)   { return func(r *loader.Record) { r.Reason = uint8(n) } }
func rst(n RST) func(*loader.Record)         { return func(r *loader.Record) { r.Reason = uint8(n) } }
func idle(s uint32) func(*loader.Record)     { return func(r *loader.Record) { r.IdleFor = s * second } }
func timeout(ms uint32) func(*loader.Record) { return func(r *loader.Record) { r.UserTimeout = ms } }
func icmp(typ, code uint8) func(*loader.Record) {
	return func(r *loader.Record) {
		r.IcmpType, r.IcmpCode, r.From = typ, code, [16]byte{10, 0, 0, 254}
	}
}

// want is an event of this kind on that connection, idle for 60 s.
func want(k Kind, set ...func(*Event)) []Event {
	e := someEvent(k)
	e.IdleFor = 60 * time.Second
	for _, s := range set {
		s(&e)
	}
	return []Event{e}
}

func verdict(v Verdict) func(*Event) { return func(e *Event) { e.Verdict = v } }
func errno(name string) func(*Event) { return func(e *Event) { e.Errno = name } }
func sentBy(r RST) func(*Event)      { return func(e *Event) { e.RST = r } }
func why(r Reason) func(*Event)      { return func(e *Event) { e.Reason = r } }
func idleFor(d time.Duration) func(*Event) {
	return func(e *Event) { e.IdleFor = d }
}
func unanswered(n int) func(*Event) {
	return func(e *Event) { e.Unanswered, e.Has = n, e.Has|conn.HasUnanswered }
}
func seq(e *Event) { e.Seq, e.Has = 1000, e.Has|HasSeq }
func next(d time.Duration) func(*Event) {
	return func(e *Event) { e.Next, e.Has = d, e.Has|conn.HasNext }
}
func dies(d time.Duration) func(*Event) {
	return func(e *Event) { e.DiesIn, e.Has = d, e.Has|conn.HasDiesIn }
}

// probed is a probe that left, the nth unanswered one.
func probed(n int, v Verdict) []Event {
	return want(KindProbe, unanswered(n), seq, next(10*time.Second), dies(time.Duration(7-n)*10*time.Second), verdict(v))
}

func idleFor110(e []Event) []Event {
	e[0].IdleFor = 110 * time.Second
	return e
}

// TestUnansweredBeyond8Bits: the kernel's count has 8 bits (icsk_probes_out).
func TestUnansweredBeyond8Bits(t *testing.T) {
	tracker := NewTracker(jiffy)
	probe := func(n int, flags uint8) (got Event) {
		r := probeRecord()
		r.Flags, r.Probes, r.UserTimeout = loader.FlagFollowed|flags, uint8(n), 1<<30
		if err := tracker.Record(&r, func(e *Event) error { got = *e; return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for n := 1; n <= 1000; n++ {
		if n%100 == 0 {
			continue // records may be lost
		}
		e := probe(n, 0)
		if e.Unanswered != n || (e.Verdict == VerdictSilent) != (n > 1) {
			t.Fatalf("probe %d: %d unanswered, verdict %q", n, e.Unanswered, e.Verdict)
		}
	}
	if e := probe(1, loader.FlagAnswered); e.Unanswered != 1 || e.Verdict != 0 {
		t.Errorf("after an answer: %d unanswered, verdict %q", e.Unanswered, e.Verdict)
	}
}

func by(who By, rst RST, retransmits uint8, unacked uint32) func(*loader.Record) {
	return func(r *loader.Record) {
		r.By, r.Rst, r.Retransmits, r.Unacked = uint8(who), uint8(rst), retransmits, unacked
	}
}

func endedBy(who By, rst RST, retransmits int, unacked uint32) func(*Event) {
	return func(e *Event) {
		e.By, e.RST, e.Retransmits, e.Unacked, e.Has = who, rst, retransmits, unacked, e.Has|conn.HasUnacked
	}
}

// stalled is data that was sent again 1.65 s ago for the first time; see TestStallDiesIn.
func stalled(w conn.Waiting, retransmits uint8, unacked uint32) func(*loader.Record) {
	return func(r *loader.Record) {
		r.Waits, r.Retransmits, r.Unacked = uint8(w), retransmits, unacked
		r.Since, r.Now, r.Expires, r.Level, r.Rto, r.RtoMax, r.Retries2 = 1650, 1_000_000, 1_000_300, 255, 408, 120*second, 3
	}
}

func stall(w conn.Waiting, retransmits int, unacked uint32) func(*Event) {
	return func(e *Event) {
		e.WaitsFor, e.Retransmits, e.Unacked, e.Has = w, retransmits, unacked, e.Has|conn.HasUnacked
	}
}

// ofChanges leaves out what TestChanges holds.
var ofChanges = cmpopts.IgnoreFields(Event{}, "Change", "AfterProbes", "SilentFor")

func TestTracker(t *testing.T) {
	hostUnreachable := want(KindICMP, unanswered(1), verdict(VerdictUnreachable), func(e *Event) {
		e.ICMP = ICMP{3, 1, "host unreachable", netipAddr("10.0.0.254")}
	})
	notSent := want(KindProbe, unanswered(1), seq, next(10*time.Second), dies(60*time.Second), verdict(VerdictUnreachable),
		func(e *Event) { e.SendError = "ENETUNREACH" })
	for _, tt := range []struct {
		name  string
		steps []step
		left  int // connections remembered at the end
	}{
		{"a first probe says nothing about the peer", []step{{rec(loader.RecordProbe, 1), probed(1, 0)}}, 1},
		{"the second unanswered one makes it silent", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordProbe, 2), probed(2, VerdictSilent)},
			{rec(loader.RecordProbe, 6), probed(6, VerdictSilent)},
		}, 1},
		{"given up by the count", []step{
			{rec(loader.RecordProbe, 6, idle(110)), idleFor110(probed(6, VerdictSilent))},
			{rec(loader.RecordReset, 6, ret(int32(unix.ETIMEDOUT)), reason(ReasonCount)),
				want(KindReset, unanswered(6), why(ReasonCount), errno("ETIMEDOUT"), verdict(VerdictTimedOut))},
			{rec(loader.RecordClosed, 6, flags(loader.FlagGaveUp)), nil},
		}, 0},
		{"given up by the user timeout", []step{
			{rec(loader.RecordReset, 1, ret(int32(unix.ETIMEDOUT)), reason(ReasonUserTimeout), timeout(30_000)),
				want(KindReset, unanswered(1), why(ReasonUserTimeout), errno("ETIMEDOUT"), verdict(VerdictTimedOut),
					func(e *Event) { e.Keepalive.UserTimeout = 30 * time.Second })},
		}, 1},
		{"given up, and ICMP left its errno", []step{
			{rec(loader.RecordReset, 6, ret(int32(unix.EHOSTUNREACH)), reason(ReasonCount)),
				want(KindReset, unanswered(6), why(ReasonCount), errno("EHOSTUNREACH"), verdict(VerdictUnreachable))},
		}, 1},
		{"a send error is unreachable until the peer answers", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordProbe, 2), probed(2, VerdictUnreachable)},
			{rec(loader.RecordProbe, 1, flags(loader.FlagAnswered)), append(want(KindAnswer, verdict(VerdictAlive)), probed(1, 0)...)},
			{rec(loader.RecordProbe, 2), probed(2, VerdictSilent)},
		}, 1},
		{"unreachable to the end, though the errno is ETIMEDOUT", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordReset, 6, ret(int32(unix.ETIMEDOUT)), reason(ReasonCount)),
				want(KindReset, unanswered(6), why(ReasonCount), errno("ETIMEDOUT"), verdict(VerdictUnreachable))},
		}, 1},
		{"congested: not counted, tried again soon, and no verdict about the peer stays", []step{
			{rec(loader.RecordProbe, 0, ret(1)),
				want(KindProbe, unanswered(0), seq, next(500*time.Millisecond), verdict(VerdictCongested), func(e *Event) { e.SendError = Congested })},
			{rec(loader.RecordProbe, 1), probed(1, 0)},
		}, 1},
		{"unreachable no more, though the record of the answer was lost", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordProbe, 1), probed(1, 0)},
		}, 1},
		{"an ICMP error is unreachable until the peer answers", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordICMP, 1, icmp(3, 1)), hostUnreachable},
			{rec(loader.RecordProbe, 2), probed(2, VerdictUnreachable)},
			{rec(loader.RecordAnswer, 0, flags(loader.FlagAnswered), reason(ReasonDataInFlight)),
				want(KindAnswer, verdict(VerdictAlive), next(time.Minute))},
			{rec(loader.RecordProbe, 1), probed(1, 0)},
		}, 1},
		{"fragmentation needed is no end", []step{
			{rec(loader.RecordICMP, 1, icmp(3, 4)), want(KindICMP, unanswered(1), func(e *Event) {
				e.ICMP = ICMP{3, 4, "fragmentation needed", netipAddr("10.0.0.254")}
			})},
			{rec(loader.RecordProbe, 2, idle(110)), idleFor110(probed(2, VerdictSilent))},
		}, 1},
		{"rebooted", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordPeerReset, 1, ret(int32(unix.ECONNRESET)), rst(RSTUnknownConnection)),
				want(KindPeerReset, unanswered(1), errno("ECONNRESET"), verdict(VerdictForgotten), sentBy(RSTUnknownConnection))},
			{rec(loader.RecordClosed, 0, flags(loader.FlagGaveUp)), nil},
		}, 0},
		{"answered between firings, exactly timed", []step{
			{rec(loader.RecordAnswer, 0, flags(loader.FlagAnswered|loader.FlagRTT|loader.FlagRTTExact), rtt(84_000), idle(0), reason(ReasonNotIdle)),
				want(KindAnswer, idleFor(0), verdict(VerdictAlive), next(time.Minute), dies(2*time.Minute), func(e *Event) {
					e.RTT, e.RTTExact, e.Has = 84*time.Microsecond, true, e.Has|HasRTT
				})},
		}, 1},
		{"a probe's record tells the answer to the one before", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordProbe, 1, flags(loader.FlagAnswered|loader.FlagRTT), rtt(3)),
				append(want(KindAnswer, verdict(VerdictAlive), func(e *Event) { e.RTT, e.Has = 12*time.Millisecond, e.Has|HasRTT }), probed(1, 0)...)},
		}, 1},
		{"closed otherwise, the answer told before", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordClosed, 1, flags(loader.FlagAnswered)), append(want(KindAnswer, verdict(VerdictAlive)), want(KindClosed)...)},
		}, 0},
		{"ended by retransmission, the answer told before", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordEnded, 0, flags(loader.FlagAnswered), ret(int32(unix.ETIMEDOUT)), reason(ReasonCount), by(ByRetransmission, 0, 4, 100)),
				append(want(KindAnswer, verdict(VerdictAlive)),
					want(KindEnded, why(ReasonCount), errno("ETIMEDOUT"), verdict(VerdictTimedOut), endedBy(ByRetransmission, 0, 4, 100))...)},
		}, 0},
		{"ended, and never told of before: by what an ICMP error left", []step{
			{rec(loader.RecordEnded, 0, ret(int32(unix.EHOSTUNREACH)), reason(ReasonUserTimeout), by(ByZeroWindow, 0, 0, 100)),
				want(KindEnded, why(ReasonUserTimeout), errno("EHOSTUNREACH"), verdict(VerdictUnreachable), endedBy(ByZeroWindow, 0, 0, 100))},
		}, 0},
		{"ended by retransmission after a send error", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordEnded, 0, ret(int32(unix.ETIMEDOUT)), by(ByRetransmission, 0, 4, 100)),
				want(KindEnded, errno("ETIMEDOUT"), verdict(VerdictUnreachable), endedBy(ByRetransmission, 0, 4, 100))},
		}, 0},
		{"ended by a RST", []step{
			{rec(loader.RecordEnded, 0, ret(int32(unix.ECONNRESET)), by(ByPeer, 0, 0, 0)),
				want(KindEnded, errno("ECONNRESET"), verdict(VerdictReset), endedBy(ByPeer, 0, 0, 0))},
			{rec(loader.RecordEnded, 0, ret(int32(unix.EPIPE)), by(ByPeer, RSTAbort, 0, 0)),
				want(KindEnded, errno("EPIPE"), verdict(VerdictAborted), endedBy(ByPeer, RSTAbort, 0, 0))},
			{rec(loader.RecordEnded, 0, ret(int32(unix.ECONNRESET)), by(ByPeer, RSTUnknownConnection, 0, 0)),
				want(KindEnded, errno("ECONNRESET"), verdict(VerdictForgotten), endedBy(ByPeer, RSTUnknownConnection, 0, 0))},
			{rec(loader.RecordEnded, 0, ret(int32(unix.ECONNRESET)), by(ByThisHost, RSTUnknownConnection, 1, 100)),
				want(KindEnded, errno("ECONNRESET"), verdict(VerdictReset), endedBy(ByThisHost, RSTThisHost, 1, 100))},
		}, 0},
		{"destroyed", []step{
			{rec(loader.RecordEnded, 0, ret(int32(unix.ECONNABORTED)), by(ByThisHost, 0, 0, 0)),
				want(KindEnded, errno("ECONNABORTED"), endedBy(ByThisHost, 0, 0, 0))},
		}, 0},
		{"a subflow's end, by nobody known", []step{
			{rec(loader.RecordEnded, 0), want(KindEnded, endedBy(0, 0, 0, 0))},
		}, 0},
		{"ended, and which connection it was is not known", []step{
			{rec(loader.RecordEnded, 0, func(r *loader.Record) { r.LocalPort = 0 }), nil},
		}, 0},
		{"suspended: the retransmission timer says when it ends; resumed: the peer was heard", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordSuspended, 1, stalled(conn.WaitsRetransmission, 3, 100)),
				want(KindSuspended, next(time.Minute), verdict(VerdictSuspended), stall(conn.WaitsRetransmission, 3, 100), dies(4608*time.Millisecond))},
			{rec(loader.RecordResumed, 0, stalled(conn.WaitsRetransmission, 0, 0)),
				want(KindResumed, verdict(VerdictAlive), func(e *Event) { e.WaitsFor = conn.WaitsRetransmission })},
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordProbe, 2), probed(2, VerdictSilent)},
		}, 1},
		{"suspended by a closed window: the peer may answer for ever", []step{
			{rec(loader.RecordSuspended, 0, stalled(conn.WaitsWindowProbe, 0, 5000)),
				want(KindSuspended, next(time.Minute), verdict(VerdictSuspended), stall(conn.WaitsWindowProbe, 0, 5000))},
		}, 1},
		{"suspended by a closed window, with a user timeout", []step{
			{rec(loader.RecordSuspended, 0, stalled(conn.WaitsWindowProbe, 0, 5000), timeout(30_000), func(r *loader.Record) { r.Since = 10_000 }),
				want(KindSuspended, next(time.Minute), verdict(VerdictSuspended), stall(conn.WaitsWindowProbe, 0, 5000), dies(20224*time.Millisecond),
					func(e *Event) { e.Keepalive.UserTimeout = 30 * time.Second })},
		}, 1},
		{"closed, and which connection it was is not known", []step{
			{rec(loader.RecordClosed, 0, func(r *loader.Record) { r.LocalPort = 0 }), nil},
		}, 0},
		{"closed, and the records before it were lost", []step{
			{rec(loader.RecordClosed, 0), want(KindClosed)},
		}, 0},
		{"the address is another connection's now", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordProbe, 2, func(r *loader.Record) { r.RemotePort++ }),
				append([]Event{}, func() Event {
					e := probed(2, 0)[0] // nothing is known of what became of the first
					e.Remote = withPort(someRemote, 40123)
					return e
				}())},
		}, 1},
		{"the address is another namespace's now", []step{
			{rec(loader.RecordProbe, 1, ret(-int32(unix.ENETUNREACH))), notSent},
			{rec(loader.RecordProbe, 2, func(r *loader.Record) { r.Netns++ }), func() []Event {
				e := probed(2, 0)
				e[0].Netns++
				return e
			}()},
		}, 1},
		{"firings that sent nothing", []step{
			{rec(loader.RecordTimer, 0, reason(ReasonSocketBusy)), want(KindTimer, why(ReasonSocketBusy), unanswered(0), next(50*time.Millisecond))},
			{rec(loader.RecordTimer, 0, reason(ReasonNotIdle), idle(45)),
				want(KindTimer, why(ReasonNotIdle), unanswered(0), idleFor(45*time.Second), next(15*time.Second), dies(75*time.Second))},
			{rec(loader.RecordTimer, 3, reason(ReasonDataInFlight)), want(KindTimer, why(ReasonDataInFlight), next(time.Minute), verdict(VerdictSuspended))},
			{rec(loader.RecordTimer, 0, reason(ReasonKeepaliveOff)), want(KindTimer, why(ReasonKeepaliveOff), unanswered(0))},
			{rec(loader.RecordTimer, 0, reason(ReasonFinWait2)), want(KindTimer, why(ReasonFinWait2), unanswered(0))},
			{rec(loader.RecordTimer, 0, reason(ReasonClosed)), want(KindTimer, why(ReasonClosed), unanswered(0))},
		}, 1},
		{"a zero-window probe is retransmission's affair", []step{
			{rec(loader.RecordWindowProbe, 3), want(KindWindowProbe, unanswered(3), verdict(VerdictSuspended))},
		}, 1},
		{"the peer's own probe: old data, not a sign that counts", []step{
			{rec(loader.RecordProbed, 0), want(KindProbed, func(e *Event) { e.Has &^= conn.HasIdleFor })},
		}, 1},
		{"enabled on an idle connection: the timer begins with the whole idle time", []step{
			{rec(loader.RecordEnabled, 0, idle(45), func(r *loader.Record) { r.Pid, r.Comm = 812, [16]byte{'n', 'g', 'i', 'n', 'x'} }),
				want(KindEnabled, idleFor(45*time.Second), next(time.Minute), dies(2*time.Minute), func(e *Event) {
					e.Process, e.Has, e.ArmedBeforeChange = conn.Process{PID: 812, Comm: "nginx"}, e.Has|HasDoer, true
				})},
		}, 1},
		{"enabled soon after the handshake: the timer runs as the settings say", []step{
			{rec(loader.RecordEnabled, 0, func(r *loader.Record) { r.IdleFor = second / 2 }),
				want(KindEnabled, idleFor(500*time.Millisecond), next(time.Minute), dies(2*time.Minute))},
		}, 1},
		{"enabled before it is connected: the firing will do nothing, and keepalive gives nothing up", []step{
			{rec(loader.RecordEnabled, 0, func(r *loader.Record) { r.State = uint8(conn.TCPSynSent) }),
				want(KindEnabled, next(time.Minute), func(e *Event) {
					e.TCPState, e.IdleFor, e.Has = conn.TCPSynSent, 0, e.Has&^conn.HasIdleFor
				})},
		}, 1},
		{"the end of an MPTCP subflow: what the application reads is not known", []step{
			{rec(loader.RecordReset, 6, reason(ReasonCount)), want(KindReset, unanswered(6), why(ReasonCount), verdict(VerdictTimedOut))},
			{rec(loader.RecordClosed, 0, flags(loader.FlagGaveUp)), nil},
			{rec(loader.RecordPeerReset, 1), want(KindPeerReset, unanswered(1), verdict(VerdictReset))},
		}, 1},
		{"data was heard, and the kernel's count goes on", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordProbe, 2), probed(2, VerdictSilent)},
			{rec(loader.RecordAnswer, 2, flags(loader.FlagAnswered), reason(ReasonNotIdle), idle(10)),
				want(KindAnswer, verdict(VerdictAlive), idleFor(10*time.Second), unanswered(2), next(50*time.Second), dies(90*time.Second))},
			{rec(loader.RecordTimer, 2, reason(ReasonNotIdle), idle(10)),
				want(KindTimer, why(ReasonNotIdle), idleFor(10*time.Second), unanswered(2), next(50*time.Second), dies(90*time.Second))},
			{rec(loader.RecordProbe, 3), probed(3, 0)},
			{rec(loader.RecordProbe, 4), probed(4, VerdictSilent)},
		}, 1},
		{"the same, and the machine stood still before the next probe: it is the first since", []step{
			{rec(loader.RecordProbe, 1), probed(1, 0)},
			{rec(loader.RecordProbe, 2), probed(2, VerdictSilent)},
			{rec(loader.RecordProbe, 3, flags(loader.FlagAnswered), idle(110)),
				append(want(KindAnswer, verdict(VerdictAlive), idleFor(110*time.Second)), idleFor110(probed(3, 0))...)},
		}, 1},
		{"data was heard when all probes were out: the next firing gives up", []step{
			{rec(loader.RecordProbe, 6, idle(110)), idleFor110(probed(6, VerdictSilent))},
			{rec(loader.RecordAnswer, 6, flags(loader.FlagAnswered), reason(ReasonNotIdle), idle(10)),
				want(KindAnswer, verdict(VerdictAlive), idleFor(10*time.Second), unanswered(6), next(50*time.Second), dies(50*time.Second))},
		}, 1},
		{"probes before the first record that may be more than the kernel's 8 bits count", []step{
			{rec(loader.RecordProbe, 3, timeout(1<<30), idle(60+255*10)), want(KindProbe, seq, next(10*time.Second),
				idleFor((60+255*10)*time.Second), func(e *Event) {
					e.Keepalive.UserTimeout = 1 << 30 * time.Millisecond
					e.DiesIn, e.Has = e.Keepalive.DiesIn(3, e.IdleFor, e.Next), e.Has|conn.HasDiesIn
				}, verdict(VerdictSilent))},
		}, 1},
		{"a first probe long after the settings in force would have sent it: the timer was set before", []step{
			{rec(loader.RecordProbe, 1, idle(7200)), want(KindProbe, unanswered(1), seq, next(10*time.Second), dies(60*time.Second), idleFor(2*time.Hour))},
		}, 1},
		{"a connection that is not followed is not remembered", []step{
			{func(r *loader.Record) { r.Kind, r.Flags = loader.RecordProbed, 0 }, want(KindProbed, func(e *Event) { e.Has &^= conn.HasIdleFor })},
		}, 0},
		{"the kernel's own socket", []step{
			{rec(loader.RecordProbe, 1, flags(loader.FlagKernel), func(r *loader.Record) { copy(r.Symbol[:], "xs_data_ready [sunrpc]") }),
				func() []Event {
					e := probed(1, 0)
					e[0].HeldBy, e[0].Module = conn.HeldByKernel, "sunrpc"
					return e
				}()},
		}, 1},
		{"a record of a kind to come is passed over", []step{{rec(200, 1), nil}}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tracker := NewTracker(jiffy)
			tracker.clock.offset = someTime.UnixNano() - 1_000_000_000
			for i, s := range tt.steps {
				r := probeRecord()
				s.in(&r)
				var got []Event
				if err := tracker.Record(&r, func(e *Event) error { got = append(got, *e); return nil }); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(s.want, got, sameAddrs, ofChanges); d != "" {
					t.Errorf("step %d (- want, + got):\n%s", i+1, d)
				}
			}
			if n := tracker.conns.Len(); n != tt.left {
				t.Errorf("%d connections remembered, want %d", n, tt.left)
			}
		})
	}
}

// TestTrackerStops: what the sink says goes back, and nothing more is told.
func TestTrackerStops(t *testing.T) {
	full := errors.New("no space left on device")
	r := probeRecord()
	r.Flags |= loader.FlagAnswered
	told := 0
	err := NewTracker(jiffy).Record(&r, func(*Event) error { told++; return full })
	if !errors.Is(err, full) || told != 1 {
		t.Errorf("%v after %d events, want %v after 1", err, told, full)
	}
}

// TestTrackerClock: the wall clock is read again when asked, for it may be set.
func TestTrackerClock(t *testing.T) {
	tracker := NewTracker(jiffy)
	tracker.clock.offset = 0
	tracker.SetClock()
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		t.Fatal(err)
	}
	r := probeRecord()
	r.Time = uint64(boot.Nano())
	_ = tracker.Record(&r, func(e *Event) error {
		if off := time.Since(e.Time).Abs(); off > time.Second || e.Time.Location() != time.UTC {
			t.Errorf("time %s is %s off, want the wall clock in UTC", e.Time, off)
		}
		return nil
	})
}

func TestDecodeTuple(t *testing.T) {
	v6 := func(s string) [16]byte { return netipAddr(s).As16() }
	for _, tt := range []struct {
		family        uint8
		local, remote [16]byte
		want          conn.Family
		text          string
	}{
		{unix.AF_INET, [16]byte{10, 0, 0, 1, 9, 9}, [16]byte{10, 0, 0, 9}, conn.IPv4, "10.0.0.1:80 > 10.0.0.9:90"},
		{unix.AF_INET6, v6("2001:db8::1"), v6("2001:db8::2"), conn.IPv6, "[2001:db8::1]:80 > [2001:db8::2]:90"},
		{unix.AF_INET6, v6("::ffff:10.0.0.1"), v6("::ffff:10.0.0.9"), conn.IPv6Mapped, "10.0.0.1:80 > 10.0.0.9:90"},
	} {
		var r loader.Record
		r.Family, r.Local, r.Remote, r.LocalPort, r.RemotePort = tt.family, tt.local, tt.remote, 80, 90
		family, local, remote := decodeTuple(&r)
		if text := local.String() + " > " + remote.String(); family != tt.want || text != tt.text {
			t.Errorf("%v %s, want %v %s", family, text, tt.want, tt.text)
		}
	}
}

// TestSameConnection: what a record has beside an IPv4 address does not count, and an
// IPv6 connection is another one than that of IPv4 whose socket had its address.
func TestSameConnection(t *testing.T) {
	tracker := NewTracker(jiffy)
	verdicts := func(r loader.Record) (got []Verdict) {
		r.Flags |= loader.FlagFollowed
		if err := tracker.Record(&r, func(e *Event) error { got = append(got, e.Verdict); return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := probeRecord()
	first.Probes = 1
	verdicts(first)
	second := first
	second.Probes = 2
	copy(second.Local[4:], "noise")
	copy(second.Remote[4:], "and more")
	if got := verdicts(second); !slices.Equal(got, []Verdict{VerdictSilent}) {
		t.Errorf("the second probe of a connection: %v", got)
	}
	other := second
	other.Family, other.Local, other.Remote = unix.AF_INET6, first.Local, first.Remote
	other.Probes = 3
	if got := verdicts(other); !slices.Equal(got, []Verdict{0}) {
		t.Errorf("the first probe of another connection: %v", got)
	}
	if got := tracker.Connections(); got[0] != 1 || got[VerdictSilent] != 0 {
		t.Errorf("connections by verdict: %v", got)
	}
}
