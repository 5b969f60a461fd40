// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// row is the facts after some events.
func row(t *testing.T, list ...events.Event) (facts, nanos) {
	t.Helper()
	s := newScene(t, testOptions, 80, 24)
	for _, e := range list {
		s.event(e)
	}
	s.tick(time.Second)
	return s.store.row(s.snap.order[0]), s.now()
}

func TestAdvice(t *testing.T) {
	defaults := conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9,
		Inherited: conn.SettingIdle | conn.SettingInterval | conn.SettingCount}
	ut := func(d time.Duration) conn.Settings {
		return conn.Settings{Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 9, UserTimeout: d}
	}
	for _, tt := range []struct {
		name   string
		events []events.Event
		want   []string
		not    []string
	}{
		{"alive on the defaults", []events.Event{ev(events.KindAnswer, 1, keepalive(defaults), answered(1))},
			[]string{"would give up 2h11m15s after", "A probe after 2h idle", "240s (Azure's load balancer), 350s (AWS NLB), 15m (IPVS)",
				"without a restart: katrace set ", " --local-port ", " --idle 2", "(Y copies it; a dry run; --apply does it)",
				"Not set on the socket", "net.ipv4.tcp_keepalive_time"},
			[]string{"ineffective"}},
		{"alive, set on the socket", []events.Event{ev(events.KindAnswer, 1, keepalive(conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}), answered(1))},
			[]string{"would give up 120s after"}, []string{"A probe after", "Not set on the socket", "ineffective"}},
		{"probes that are in time only while the interval is shorter", []events.Event{ev(events.KindAnswer, 1, keepalive(conn.Settings{Idle: time.Minute, Interval: 400 * time.Second, Count: 6}), answered(1))},
			[]string{"A probe after 400s idle", "after 240s (Azure's load balancer), 350s (AWS NLB). If"}, nil},
		{"a timer that may be late", []events.Event{ev(events.KindAnswer, 1, keepalive(conn.Settings{Idle: 345 * time.Second, Interval: 10 * time.Second, Count: 6}), answered(1))},
			[]string{"350s (AWS NLB). If"}, nil},
		{"user timeout", []events.Event{ev(events.KindProbe, 1, keepalive(ut(20*time.Second)), unanswered(2))},
			[]string{"TCP_USER_TIMEOUT 20s makes KEEPCNT 9 ineffective", "given up 20s after its last segment, with 2 probes unanswered", "gives up in"},
			[]string{"One lost probe"}},
		{"user timeout shorter than idle", []events.Event{ev(events.KindAnswer, 1, keepalive(ut(5*time.Second)), answered(1))},
			[]string{"given up 15s after its last segment, with 1 probe unanswered. One lost probe is enough."}, nil},
		{"data in flight", []events.Event{ev(events.KindTimer, 1, verdict(events.VerdictSuspended), func(e *events.Event) { e.Reason = events.ReasonDataInFlight })},
			[]string{"Data in flight: retransmission decides, not keepalive"}, []string{"probes unanswered"}},
		{"suspended, with an estimate", []events.Event{ev(events.KindSuspended, 1, verdict(events.VerdictSuspended), func(e *events.Event) {
			e.WaitsFor, e.Retransmits, e.Unacked, e.DiesIn = conn.WaitsRetransmission, 3, 100, 13*time.Minute
			e.Has |= conn.HasUnacked | conn.HasDiesIn
		})}, []string{"Data in flight (100 bytes, sent again 3 times): retransmission decides", "gives up in 12m59s unless it answers"}, []string{"window"}},
		{"a closed window", []events.Event{ev(events.KindSuspended, 1, verdict(events.VerdictSuspended), func(e *events.Event) {
			e.WaitsFor, e.Unacked, e.DiesIn = conn.WaitsWindowProbe, 100, 0
			e.Has = e.Has&^conn.HasDiesIn | conn.HasUnacked
		})}, []string{"receive window is closed", "A peer that answers them is never given up"}, []string{"retransmission decides", "gives up in"}},
		{"a closed window, and firings that send nothing after it", []events.Event{
			ev(events.KindSuspended, 1, verdict(events.VerdictSuspended), func(e *events.Event) { e.WaitsFor = conn.WaitsWindowProbe }),
			ev(events.KindTimer, 1, verdict(events.VerdictSuspended), func(e *events.Event) { e.Reason = events.ReasonDataInFlight }),
		}, []string{"receive window is closed"}, nil},
		{"timed out", []events.Event{ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"))},
			[]string{"6 probes unanswered", `reads ETIMEDOUT ("Connection timed out")`}, []string{"gives up in", "No news"}},
		{"timed out by the user timeout", []events.Event{ev(events.KindReset, 1, keepalive(ut(20*time.Second)), unanswered(2), gaveUp(events.ReasonUserTimeout, "ETIMEDOUT"))},
			[]string{"TCP_USER_TIMEOUT (20s) was over with 2 probes unanswered; TCP_KEEPCNT played no part"}, nil},
		{"forgotten", []events.Event{ev(events.KindPeerReset, 1, verdict(events.VerdictForgotten), func(e *events.Event) { e.Errno, e.RST = "ECONNRESET", events.RSTUnknownConnection })},
			[]string{"A RST answered the probe, and its sender does not know this connection", "ECONNRESET", "whoever sent it"}, nil},
		{"retransmission by count", []events.Event{endedBy(events.ByRetransmission, 0, events.ReasonCount, "ETIMEDOUT", events.VerdictTimedOut)},
			[]string{"Data was on the way (100 bytes)", "sent again 3 times", "tcp_retries2 was over", `reads ETIMEDOUT ("Connection timed out")`}, []string{"probe", "whoever"}},
		{"zero window by user timeout", []events.Event{ev(events.KindEnabled, 1, keepalive(ut(20*time.Second))), func() events.Event {
			e := endedBy(events.ByZeroWindow, 0, events.ReasonUserTimeout, "ETIMEDOUT", events.VerdictTimedOut)
			e.Keepalive = ut(20 * time.Second)
			return e
		}()}, []string{"receive window was closed", "100 bytes waited", "TCP_USER_TIMEOUT (20s) was over"}, []string{"Data was on the way"}},
		{"RST while idle, by a middlebox", []events.Event{endedBy(events.ByPeer, events.RSTUnknownConnection, 0, "ECONNRESET", events.VerdictForgotten)},
			[]string{"no probe was out", "NAT gateway or firewall", "whoever sent it"}, []string{"answered the probe"}},
		{"RST while idle, by the peer", []events.Event{endedBy(events.ByPeer, events.RSTAbort, 0, "ECONNRESET", events.VerdictAborted)},
			[]string{"no probe was out, and knew it"}, []string{"NAT"}},
		{"RST while idle, whose is not known", []events.Event{endedBy(events.ByPeer, 0, 0, "ECONNRESET", events.VerdictReset)},
			[]string{"cannot see which"}, nil},
		{"RST made here", []events.Event{endedBy(events.ByThisHost, events.RSTThisHost, 0, "ECONNRESET", events.VerdictReset)},
			[]string{"made on this host", "nft list ruleset"}, []string{"destroyed"}},
		{"destroyed", []events.Event{endedBy(events.ByThisHost, 0, 0, "ECONNABORTED", 0)}, []string{"destroyed the socket, as ss -K", "reads ECONNABORTED"}, []string{"RST"}},
		{"ended, by nobody known", []events.Event{endedBy(0, 0, 0, "ECONNRESET", 0)}, []string{"by whom is not known"}, nil},
		{"icmp", []events.Event{ev(events.KindICMP, 1, verdict(events.VerdictUnreachable), func(e *events.Event) {
			e.ICMP = events.ICMP{Type: 3, Code: 1, Text: "host unreachable", From: e.Remote.Addr()}
		})}, []string{"ICMP from 10.0.0.1 (the peer itself): host unreachable (type 3, code 1)", "reads ETIMEDOUT all the same"}, nil},
		{"answers dropped here", []events.Event{
			ev(events.KindDropped, 1, unanswered(1), func(e *events.Event) {
				e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "NETFILTER_DROP", Text: "nftables", Where: "nft_do_chain"}
			}), ev(events.KindProbe, 1, unanswered(2), verdict(events.VerdictSilent))},
			[]string{"The peer is not silent", "dropped here by nftables: NETFILTER_DROP in nft_do_chain. Look at its rules"},
			[]string{"The peer is down", "firewall or NAT"}},
		{"answers dropped here, given up", []events.Event{
			ev(events.KindDropped, 1, unanswered(1), func(e *events.Event) {
				e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "TCP_ACK_UNSENT_DATA", Where: "tcp_ack"}
			}), ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"))},
			[]string{"restored from a snapshot?"}, []string{"The peer is down"}},
		{"probes dropped here, then answered", []events.Event{
			ev(events.KindDropped, 1, unanswered(1), func(e *events.Event) {
				e.Drop = events.Drop{Direction: events.DirectionOut, Reason: "TC_EGRESS", Text: "tc", Where: "sch_handle_egress"}
			}), ev(events.KindAnswer, 1, answered(1))},
			[]string{"The peer answers."}, []string{"dropped"}},
		{"own route", []events.Event{ev(events.KindProbe, 1, unanswered(2), verdict(events.VerdictUnreachable), func(e *events.Event) { e.SendError = "EHOSTUNREACH" })},
			[]string{"did not leave this host: EHOSTUNREACH", "ip route get 10.0.0.1"}, nil},
		{"congested", []events.Event{ev(events.KindProbe, 1, verdict(events.VerdictCongested), func(e *events.Event) { e.SendError = events.Congested })},
			[]string{"local queue is full", "every 0.5 s"}, []string{"did not leave this host: congested"}},
		{"asking", []events.Event{ev(events.KindProbe, 1, unanswered(1))}, []string{"A first probe is out"}, nil},
		{"the peer probes too", []events.Event{ev(events.KindAnswer, 1, answered(1)), ev(events.KindProbed, 1)}, []string{"last 1s ago, and we answer. Both sides"}, nil},
		{"close_wait", []events.Event{ev(events.KindAnswer, 1, answered(1), func(e *events.Event) { e.TCPState = conn.TCPCloseWait })}, []string{"CLOSE_WAIT"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, now := row(t, tt.events...)
			got := strings.Join(advise(&f, now, nil), "\n")
			var named string // by the advice
			for _, c := range f.commands() {
				named += ": " + c + " (Y copies it"
				if !strings.Contains(got, ": "+c+" (Y copies it") {
					t.Errorf("the advice does not name %q:\n%s", c, got)
				}
			}
			if n := strings.Count(got, "katrace set "); n != strings.Count(named, "katrace set ") {
				t.Errorf("Y copies %q, the advice names %d:\n%s", named, n, got)
			}
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %q in:\n%s", w, got)
				}
			}
			for _, w := range tt.not {
				if strings.Contains(got, w) {
					t.Errorf("%q in:\n%s", w, got)
				}
			}
		})
	}
}

func TestAdviceSaysWhatTheBackendCannotKnow(t *testing.T) {
	f, now := row(t, ev(events.KindProbe, 1, unanswered(3)))
	if got := strings.Join(advise(&f, now, []string{"ICMP errors"}), "\n"); !strings.Contains(got, "This backend cannot know: ICMP errors.") {
		t.Error(got)
	}
	if got := strings.Join(advise(&f, now+int64(time.Hour), nil), "\n"); !strings.Contains(got, "No news: the timer was due 59m51s ago") {
		t.Error(got)
	}
}

// TestAdviceOfUnreachable: where an error was seen, a dead peer and a broken path
// do not look the same.
func TestAdviceOfUnreachable(t *testing.T) {
	for _, v := range []events.Verdict{events.VerdictTimedOut, events.VerdictUnreachable} {
		f := newFacts()
		f.ended, f.kind, f.verdict = true, events.KindReset, v
		all := strings.Join(advise(&f, 1, nil), "\n")
		if got, want := strings.Contains(all, "both look the same"), v == events.VerdictTimedOut; got != want {
			t.Errorf("%s: %s", v, all)
		}
	}
}
