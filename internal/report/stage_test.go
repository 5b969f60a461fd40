// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/recording"
)

// noon is when what is staged begins.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// stage is events under way to a Gatherer.
type stage struct {
	events []events.Event
}

// socket is a connection of a host: number n of it.
func socket(host string, n int, peer, comm string) conn.State {
	s := conn.State{Host: host, Netns: 1, Inode: uint64(100 + n), Family: conn.IPv4, TCPState: conn.TCPEstablished,
		Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(40000+n)), Remote: netip.MustParseAddrPort(peer),
		Keepalive: conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 3}, Has: conn.HasKeepalive | conn.HasUID}
	s.Process = conn.Process{PID: 800 + n, Comm: comm}
	return s
}

// mirrored is the other end.
func mirrored(s conn.State, host, comm string) conn.State {
	s.Host, s.Local, s.Remote = host, s.Remote, s.Local
	s.Process = conn.Process{PID: 7, Comm: comm}
	return s
}

// add adds an event, so many seconds after noon.
func (g *stage) add(at float64, kind events.Kind, s conn.State, set func(*events.Event)) {
	e := events.Event{Time: noon.Add(time.Duration(at * float64(time.Second))), Kind: kind, State: s}
	if kind.OfTracing() {
		e.State = conn.State{Host: s.Host}
		e.Tracing = &events.Tracing{}
	}
	if set != nil {
		set(&e)
	}
	g.events = append(g.events, e)
}

// silent sends probes, from the first on that is unanswered, ten seconds apart.
func (g *stage) silent(at float64, s conn.State, from, to int) {
	for n := from; n <= to; n++ {
		g.add(at+10*float64(n-1), events.KindProbe, s, func(e *events.Event) {
			e.Unanswered, e.IdleFor, e.Next = n, time.Minute+10*time.Second*time.Duration(n-1), 10*time.Second
			e.Has |= conn.HasUnanswered | conn.HasIdleFor | conn.HasNext
			if n > 1 {
				e.Verdict = events.VerdictSilent
			}
		})
	}
}

// answer is heard so long after the probe.
func (g *stage) answer(at float64, s conn.State, rtt time.Duration, exact bool, set func(*events.Event)) {
	g.add(at, events.KindAnswer, s, func(e *events.Event) {
		e.RTT, e.RTTExact, e.Verdict = rtt, exact, events.VerdictAlive
		e.Has |= events.HasRTT | conn.HasIdleFor
		if set != nil {
			set(e)
		}
	})
}

// reset is the giving up after three probes, the first of them at that time.
func (g *stage) reset(at float64, s conn.State) {
	g.silent(at, s, 1, 3)
	g.add(at+30, events.KindReset, s, func(e *events.Event) {
		e.Unanswered, e.IdleFor, e.Reason, e.Errno, e.Verdict = 3, 90*time.Second, events.ReasonCount, "ETIMEDOUT", events.VerdictTimedOut
		e.Has |= conn.HasUnanswered | conn.HasIdleFor
	})
}

// gather plays the stage in the order of time.
func (g *stage) gather(opt Options) *Gatherer {
	slices.SortStableFunc(g.events, func(a, b events.Event) int { return a.Time.Compare(b.Time) })
	to := NewGatherer(opt)
	for i := range g.events {
		_ = to.Event(&g.events[i])
	}
	return to
}

// night is a stage with something of each kind, on two hosts.
func night() *stage {
	var g stage
	for _, host := range []string{"web", "db"} {
		g.add(0, events.KindStart, conn.State{Host: host}, func(e *events.Event) {
			*e.Tracing = events.Tracing{Kernel: "6.12.107", Backend: "kprobe", Version: "1.0"}
			if host == "db" {
				e.Tracing.NotKnown = events.UnknownMissed
			}
		})
		for minute := 1; minute < 30; minute++ {
			if host == "web" && minute > 12 && minute < 20 {
				continue // it was suspended
			}
			g.add(float64(60*minute), events.KindHeartbeat, conn.State{Host: host}, func(e *events.Event) {
				if minute == 20 {
					e.Tracing.Asleep = 7 * time.Minute
				}
			})
		}
	}
	g.add(1800, events.KindStop, conn.State{Host: "web"}, func(e *events.Event) { e.Tracing.Exit = events.ExitSignal })

	// A database falls silent: six connections of two programs die.
	for n := range 6 {
		s := socket("web", n, "10.0.0.2:5432", []string{"shop", "<script>alert(1)</script>"}[n%2])
		g.answer(float64(10+n), s, time.Duration(80+40*n)*time.Microsecond, true, nil)
		g.reset(float64(300+n), s)
		other := mirrored(s, "db", "postgres")
		switch n {
		case 0: // its probes arrive there
			for i := range 3 {
				g.add(300.001+10*float64(i), events.KindProbed, other, nil)
			}
		case 1: // and those of this one do no more
			g.silent(200, s, 1, 1)
			g.add(200.001, events.KindProbed, other, nil)
			g.answer(200.01, s, 300*time.Microsecond, true, nil)
		}
	}
	// One recovers, one stays silent, of one nothing is heard any more.
	recovers := socket("web", 10, "10.0.0.3:443", "shop")
	recovers.Container = "9c41e07a2d5b9c41e07a2d5b9c41e07a2d5b9c41e07a2d5b9c41e07a2d5b1234"
	g.silent(400, recovers, 1, 2)
	g.answer(420, recovers, 0, false, func(e *events.Event) { e.AfterProbes, e.SilentFor = 2, 80*time.Second })
	open := socket("web", 11, "10.0.0.4:443", "shop")
	g.silent(1790, open, 1, 2)
	gone := socket("web", 12, "10.0.0.5:443", "shop\x1b[2J\u202e")
	g.silent(600, gone, 1, 2)
	g.add(605, events.KindICMP, gone, func(e *events.Event) {
		e.ICMP = events.ICMP{Type: 3, Code: 1, Text: "host unreachable", From: netip.MustParseAddr("10.0.0.254")}
		e.Verdict = events.VerdictUnreachable
	})
	closed := socket("web", 13, "10.0.0.6:443", "shop")
	g.silent(700, closed, 1, 2)
	g.add(715, events.KindClosed, closed, nil)

	// Ends of all other kinds.
	end := func(at float64, n int, kind events.Kind, set func(*events.Event)) {
		s := socket("db", n, "10.0.0.7:6379", "redis")
		s.Local = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), s.Local.Port())
		s.Keepalive = conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, UserTimeout: 30 * time.Second, Inherited: conn.AllSettings}
		g.add(at, kind, s, func(e *events.Event) {
			e.Errno = "ECONNRESET"
			set(e)
		})
	}
	end(800, 20, events.KindReset, func(e *events.Event) {
		e.Reason, e.IdleFor, e.Errno, e.Verdict = events.ReasonUserTimeout, time.Hour, "EHOSTUNREACH", events.VerdictUnreachable
		e.Has |= conn.HasIdleFor
	})
	end(801, 21, events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTUnknownConnection })
	end(802, 22, events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTAbort })
	end(803, 23, events.KindPeerReset, func(*events.Event) {})
	end(804, 24, events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTThisHost })
	end(805, 25, events.KindEnded, func(e *events.Event) {
		e.By, e.Errno, e.IdleFor, e.Retransmits, e.Unacked = events.ByRetransmission, "ETIMEDOUT", 20*time.Minute, 15, 100
		e.Has |= conn.HasIdleFor | conn.HasUnacked
	})
	end(806, 26, events.KindEnded, func(e *events.Event) { e.By, e.Errno = events.ByZeroWindow, "ETIMEDOUT" })
	end(807, 27, events.KindEnded, func(e *events.Event) { e.By = events.ByPeer })
	end(808, 28, events.KindEnded, func(e *events.Event) { e.By, e.Errno = events.ByThisHost, "ECONNABORTED" })
	end(809, 29, events.KindEnded, func(*events.Event) {})

	g.add(1300, events.KindDropped, open, func(e *events.Event) {
		e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "NETFILTER_DROP", Text: "nftables", Where: "nft_do_chain"}
	})
	g.add(1301, events.KindSuspended, open, func(e *events.Event) { e.WaitsFor, e.Verdict = conn.WaitsRetransmission, events.VerdictSuspended })
	g.add(1302, events.KindResumed, open, nil)
	g.add(1303, events.KindLost, conn.State{Host: "web"}, func(e *events.Event) { e.Lost, e.LeftOut = events.Lost{Ring: 3}, 2 })
	return &g
}

// nightReport is the report of it, as the command makes it.
func nightReport() *Report {
	g := night()
	r := g.gather(Options{Join: true}).Report()
	r.Recordings = []Recording{{Name: "web.json", Damaged: 2}, {Name: "db\x1b[31m<b>.json", Back: 1}}
	r.Late = 4
	var c recording.Coverage
	for i := range g.events {
		c.Add(&g.events[i], "")
	}
	c.Finish()
	r.Cover(&c)
	return r
}

// one is the report of events of one connection.
func one(t *testing.T, set func(*stage, conn.State)) *Report {
	t.Helper()
	var g stage
	set(&g, socket("", 1, "10.0.0.2:5432", "shop"))
	return g.gather(Options{}).Report()
}
