// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Backends that lack one thing.
var (
	noSendErrors = full.but(func(b *Backend) { b.SendErrors = false })
	noICMP       = full.but(func(b *Backend) { b.ICMP = false })
	noRST        = full.but(func(b *Backend) { b.RST = false })
	noProbed     = full.but(func(b *Backend) { b.Probed, b.ProbedByte = false, false })
	noProbedByte = full.but(func(b *Backend) { b.ProbedByte = false })
	notAll       = full.but(func(b *Backend) { b.WindowProbes, b.TimerReasons = false, false })
	lateAnswers  = full.but(func(b *Backend) { b.PromptAnswers = false })
)

func (b Backend) but(change func(*Backend)) Backend {
	change(&b)
	return b
}

var liesAboutIdentity = []lie{
	{"vanished", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Netns++ }), "probe event about"},
	{"vanished", full, nth(events.KindReset, 0, func(e *events.Event) {
		e.Local = netip.AddrPortFrom(e.Local.Addr(), 0)
	}), "reset event about"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Remote = netip.AddrPort{} }), "> nothing in namespace"},
	{"mapped-vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Family = conn.IPv6 }), `family "ipv6", not "ipv6-mapped"`},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Inode++ }), "inode 81933, not 81932"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Inode = 0 }), "probe event without the inode"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Process.PID = 1 }), "process 1, not 812"},
	{"half-closed", full, nth(events.KindProbe, 0, func(e *events.Event) { e.TCPState = conn.TCPEstablished }), `state "established", not "fin_wait2"`},
	{"vanished", full, func(_ *Outcome, evs *[]events.Event) { (*evs)[1], (*evs)[2] = (*evs)[2], (*evs)[1] }, "comes after a later"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Has &^= conn.HasKeepalive }), "probe event without the settings"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Keepalive.Interval *= 2 }), "says settings"},
	{"inherited", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Keepalive.Inherited = 0 }), "says settings"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Keepalive.Inherited = conn.SettingCount }), "says settings"},
}

var liesAboutProbes = []lie{
	{"vanished", full, with(events.KindProbe, nil), "4 probe events, the kernel counts 3"},
	{"vanished", full, without(events.KindProbe), "0 probe events, the kernel counts 3"},
	{"zero-window", full, with(events.KindProbe, nil), "1 probe event, the kernel counts 0"},
	{"unacked-data", full, with(events.KindProbe, nil), "1 probe event, the kernel counts 0"},
	{"congested", noSendErrors, with(events.KindProbe, nil), "3 probe events, the kernel counts 2"},
	{"congested", noSendErrors, nth(events.KindProbe, 0, func(e *events.Event) { e.SendError = events.Congested }), "cannot know"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.SendError = "ENOMEM" }), "probe 1 says ENOMEM"},
	{"route-gone", full, nth(events.KindProbe, 1, func(e *events.Event) { e.SendError = "" }), "say that the segment left, 0 captured"},
	{"vanished", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Seq++ }), "probe 3 says sequence number 1001, the capture 1000"},
	{"vanished", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Time = e.Time.Add(600 * time.Millisecond) }), "600ms later than the capture"},
	{"vanished", full, nth(events.KindProbe, 2, func(e *events.Event) { e.IdleFor = time.Second }), "probe 3 says idle for 1s, the capture 3s"},
	{"no-carrier", full, nth(events.KindProbe, 0, func(e *events.Event) { e.SendError = "EHOSTUNREACH" }), "probe 1 says EHOSTUNREACH"},
	{"no-carrier", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Unanswered = 1 }), "probe 3 says 1 unanswered, not 3"},
	{"vanished", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Unanswered = 1 }), "probe 2 says 1 unanswered, not 2"},
	{"alive", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Unanswered = 2 }), "probe 2 says 2 unanswered, not 1"},
	{"recovers", full, nth(events.KindProbe, 3, func(e *events.Event) { e.Unanswered = 4 }), "probe 4 says 4 unanswered, not 1"},
	{"congested", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Unanswered = 3 }), "probe 3 says 3 unanswered, not 0"},
	{"route-gone", noSendErrors, nth(events.KindProbe, 2, func(e *events.Event) { e.Unanswered = 1 }), "probe 3 says 1 unanswered, not 3"},
	{"vanished", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Has &^= conn.HasUnanswered }), "does not say how many are unanswered"},
	{"alive", full, without(events.KindAnswer), "0 answer events, 3 captured"},
	{"alive", Backend{}, without(events.KindAnswer), "0 answer events, 3 captured"},
	{"vanished", full, with(events.KindAnswer, nil), "1 answer event, 0 captured"},
	{"alive", full, nth(events.KindAnswer, 0, func(e *events.Event) { e.RTT = time.Second }), "answer 1 says a round trip of 1s"},
	{"alive", full, nth(events.KindAnswer, 0, func(e *events.Event) { e.Has &^= events.HasRTT }), "says that its round trip is exact"},
	{"alive", full, nth(events.KindAnswer, 0, func(e *events.Event) { e.Verdict = events.VerdictSilent }), `answer 1 says verdict "silent"`},
	{"vanished", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Has &^= conn.HasNext }), "probe 2 does not say when the timer fires next"},
	{"vanished", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Has &^= conn.HasDiesIn }), "probe 2 does not say when the kernel gives up"},
	{"congested", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Next = 2 * time.Second }), "fires in 2s, it fired after 500ms"},
	{"vanished", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Next = 2 * time.Second }), "fires in 2s, it fired after 1s"},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.DiesIn += time.Second }), "gives up in 4s, it did after 3s"},
	{"user-timeout", full, nth(events.KindProbe, 0, func(e *events.Event) { e.DiesIn = 9 * time.Second }), "gives up in 9s, it did after 2s"},
}

var liesAboutEnds = []lie{
	{"abort", full, with(events.KindReset, nil), "1 reset event: the connection did not end so"},
	{"unread-close", full, with(events.KindReset, nil), "1 reset event: the connection did not end so"},
	{"fin-wait2-orphan", full, with(events.KindReset, nil), "1 reset event: the connection did not end so"},
	{"forgotten", full, with(events.KindReset, nil), "1 reset event: the connection did not end so"},
	{"vanished", full, with(events.KindPeerReset, nil), "1 peer_reset event: the connection did not end so"},
	{"vanished", full, without(events.KindReset), "0 reset events, the connection ended so once"},
	{"vanished", full, with(events.KindReset, nil), "2 reset events, the connection ended so once"},
	{"forgotten", full, without(events.KindPeerReset), "0 peer_reset events, the connection ended so once"},
	{"unreachable", full, nth(events.KindReset, 0, func(e *events.Event) { e.Errno = "EHOSTUNREACH" }), `errno "EHOSTUNREACH", the application read ETIMEDOUT`},
	{"forgotten", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Errno = "" }), `errno "", the application read ECONNRESET`},
	{"vanished", full, nth(events.KindReset, 0, func(e *events.Event) { e.Time = e.Time.Add(time.Second) }), "reset event says 1s later than it happened"},
	{"user-timeout", full, nth(events.KindReset, 0, func(e *events.Event) { e.Reason = events.ReasonCount }), `reason "count", not "user_timeout"`},
	{"forgotten", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Reason = events.ReasonCount }), `reason "count", not ""`},
	{"vanished", full, with(events.KindAnswer, nil), "answer event after the end"},
	{"unreachable", noICMP, with(events.KindICMP, nil), "1 icmp event, which the backend cannot know"},
	{"unreachable", full, without(events.KindICMP), "0 icmp events, 3 captured"},
	{"vanished", full, with(events.KindICMP, nil), "1 icmp event, 0 captured"},
	{"unreachable", full, nth(events.KindICMP, 0, func(e *events.Event) { e.ICMP.From = e.Remote.Addr() }), "from 192.0.2.2, the capture 192.0.2.254"},
	{"ipv6-unreachable", full, nth(events.KindICMP, 1, func(e *events.Event) { e.ICMP.From = e.Local.Addr() }), "from 192.0.2.1, the capture 2001:db8:1::fe"},
	{"ipv6-unreachable", full, nth(events.KindICMP, 0, func(e *events.Event) { e.ICMP.Type = 3 }), "type 3 code 0, the capture 1 and 0"},
	{"mptcp", full, nth(events.KindReset, 0, func(e *events.Event) { e.Errno = "ETIMEDOUT" }), `errno "ETIMEDOUT", of a subflow's end`},
	{"mptcp", full, without(events.KindReset), "0 reset events, the connection ended so once"},
	{"close-wait-forgotten", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Errno = "ECONNRESET" }), `errno "ECONNRESET", the application read EPIPE`},
	{"time-wait", full, with(events.KindProbe, nil), "probe event after the end"},
	{"fin-wait1", full, with(events.KindReset, nil), "1 reset event: the connection did not end so"},
	{"syn-sent", full, nth(events.KindEnabled, 0, func(e *events.Event) {
		e.TCPState, e.DiesIn, e.Has = conn.TCPSynSent, 4*time.Second, e.Has|conn.HasDiesIn
	}), "gives up in 4s, which it does not"},
	{"syn-sent", full, nth(events.KindTimer, 0, func(e *events.Event) {
		e.TCPState, e.IdleFor, e.Has = conn.TCPSynSent, time.Hour, e.Has|conn.HasIdleFor
	}), "idle for 1h0m0s, the peer was never heard"},
	{"syn-sent", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Verdict = events.VerdictSuspended }), `"suspended" in the end, not ""`},
	{"unreachable", full, nth(events.KindICMP, 0, func(e *events.Event) { e.ICMP.Code = 0 }), "type 3 code 0, the capture 3 and 1"},
	{"vanished", notAll, with(events.KindTimer, nil), "1 timer event, which were not asked for"},
	{"unacked-data", full, without(events.KindTimer), `no timer event with reason "data_in_flight"`},
	{"fin-wait2-timeout", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Reason = events.ReasonNotIdle }), `no timer event with reason "fin_wait2"`},
	{"vanished", full, with(events.KindTimer, func(e *events.Event) { e.Reason = events.ReasonDataInFlight }), `timer event says reason "data_in_flight"`},
	{"zero-window", notAll, with(events.KindWindowProbe, nil), "1 window_probe event, which were not asked for"},
	{"zero-window", full, without(events.KindWindowProbe), "0 window_probe events, 1 captured"},
	{"vanished", full, with(events.KindWindowProbe, nil), "1 window_probe event, 0 captured"},
	{"vanished", full, with(events.KindProbed, nil), "1 probed event, and the peer sent 0"},
	{"vanished", full, nth(events.KindReset, 0, func(e *events.Event) { e.Verdict = events.VerdictUnreachable }), `"unreachable" in the end, not "timed_out"`},
	{"unreachable", full, nth(events.KindReset, 0, func(e *events.Event) { e.Verdict = events.VerdictTimedOut }), `"timed_out" in the end, not "unreachable"`},
	{"unreachable", noICMP, nth(events.KindReset, 0, func(e *events.Event) { e.Verdict = events.VerdictUnreachable }), `"unreachable" in the end, not "timed_out"`},
	{"route-gone", noSendErrors, nth(events.KindReset, 0, func(e *events.Event) { e.Verdict = events.VerdictUnreachable }), `"unreachable" in the end, not "timed_out"`},
	{"abort", full, nth(events.KindClosed, 0, func(e *events.Event) { e.Verdict = events.VerdictTimedOut }), `"timed_out" in the end, not "alive"`},
	{"abort", Backend{}, nth(events.KindClosed, 0, func(e *events.Event) { e.Verdict = events.VerdictAlive }), `"alive" in the end, not ""`},
	{"unacked-data", notAll, nth(events.KindClosed, 0, func(e *events.Event) { e.Verdict = events.VerdictAlive }), `"alive" in the end, not "suspended"`},
	{"unacked-data", full, func(_ *Outcome, evs *[]events.Event) {
		for i := range *evs {
			(*evs)[i].Verdict = 0
		}
	}, `"" in the end, not "suspended"`},
	{"recovers", full, unsay(events.VerdictSilent), `the verdict was never "silent"`},
	{"congested", full, unsay(events.VerdictCongested), `the verdict was never "congested"`},
}

var failedStagings = []lie{
	{"vanished", full, saw(func(o *Outcome) { o.Failed = context.DeadlineExceeded }), "staging failed: context deadline exceeded"},
	{"vanished", full, saw(func(o *Outcome) { o.Errno = unix.ECONNRESET }), "the application read ECONNRESET, not ETIMEDOUT"},
	{"vanished", full, saw(func(o *Outcome) { o.Errno = 0 }), "the application read nothing, not ETIMEDOUT"},
	{"vanished", full, saw(func(o *Outcome) { o.Errno = 4000 }), "the application read errno 4000, not ETIMEDOUT"},
	{"vanished", full, saw(func(o *Outcome) { o.EndedAfter = 3 * time.Second }), "after 3s, 1s early"},
	{"vanished", full, saw(func(o *Outcome) { o.Captured.Reset = o.Begun.Add(6 * time.Second) }), "ended after 6s, 2s late"},
	{"vanished", full, saw(func(o *Outcome) { o.KeepaliveCount++ }), "4 probes counted by the kernel, not 3"},
	{"vanished", full, saw(func(o *Outcome) { o.Captured.Probes = o.Captured.Probes[1:] }), "2 probes captured, not 3"},
	{"late-on", full, nth(events.KindEnabled, 0, func(e *events.Event) { e.ArmedBeforeChange = false }), "enabled event does not say that the first probe is late"},
	{"alive", full, saw(func(o *Outcome) { o.Captured.Probes = o.Captured.Probes[:1] }), "1 probes captured, not at least 3"},
	{"alive", full, saw(func(o *Outcome) { o.Captured.Probes[0].Answer = time.Time{} }), "2 answers captured, not at least 3"},
	{"route-gone", full, saw(func(o *Outcome) { o.Captured.ResetsOut = 1 }), "1 resets captured, not 0"},
	{"alive", full, saw(func(o *Outcome) { o.Captured.Dropped = 2 }), "2 packets lost by the capture, not 0"},
	{"zero-window", full, saw(func(o *Outcome) { o.Captured.WindowProbes = nil }), "0 zero-window probes captured"},
	{"vanished", full, saw(func(o *Outcome) { o.Captured.WindowProbes = make([]Segment, 1) }), "1 zero-window probes captured"},
	{"forgotten", full, saw(func(o *Outcome) { o.Captured.ResetsIn = 0 }), "0 resets captured from the peer"},
	{"alive", full, saw(func(o *Outcome) { o.Captured.ResetsIn = 1 }), "1 resets captured from the peer"},
	{"alive", full, saw(func(o *Outcome) { o.KeepaliveCount++ }), "3 probes captured, 4 counted"},
	{"unreachable", full, saw(func(o *Outcome) { o.Captured.ICMP = o.Captured.ICMP[1:] }), "2 ICMP errors to 3 probes"},
	{"unreachable", full, saw(func(o *Outcome) { o.Captured.ICMP[1].From = o.Conn.Remote.Addr() }), "captured from 192.0.2.2, the router is 192.0.2.254"},
	{"ipv6-unreachable", full, saw(func(o *Outcome) { o.Router = netip.MustParseAddr("2001:db8:1::1") }), "captured from 2001:db8:1::fe, the router is 2001:db8:1::1"},
	{"no-carrier", full, saw(func(o *Outcome) { o.Captured.Probes = make([]Probe, 3) }), "3 probes captured, not 0"},
	{"mptcp", full, saw(func(o *Outcome) { o.Errno = unix.ETIMEDOUT }), "the application read ETIMEDOUT, not nothing"},
	{"mptcp-data", full, saw(func(o *Outcome) { o.EndedAfter = time.Second }), "the subflow ended after 1s"},
	{"vanished", full, saw(func(o *Outcome) { o.Captured.ICMP = make([]ICMPSeen, 1) }), "1 ICMP errors captured"},
	{"vanished", full, saw(func(o *Outcome) {
		o.Captured.Probes[1].Time = o.Captured.Probes[0].Time.Add(900 * time.Millisecond)
	}), "probes 1 and 2 are 900ms apart, less than 1s"},
}
