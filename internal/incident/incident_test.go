// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// diesAt has a peer dead from a time on, until another one; 0: for good.
func diesAt(which func(netip.Addr) bool, from, until time.Duration) func(netip.Addr, time.Duration, time.Duration) state {
	return func(a netip.Addr, _, now time.Duration) state {
		if which(a) && now >= from && (until == 0 || now < until) {
			return dead
		}
		return answers
	}
}

func only(a netip.Addr) func(netip.Addr) bool { return func(b netip.Addr) bool { return a == b } }

// TestOneHostOfForty: it is named as soon as most of its connections are silent,
// and after they have been given up.
func TestOneHostOfForty(t *testing.T) {
	for _, tt := range []struct {
		end  time.Duration // it dies after five minutes
		want []string
	}{
		{5*time.Minute + 30*time.Second, nil},
		{5*time.Minute + 50*time.Second, []string{"32 of 50 known connections to 10.98.0.9 silent since 19:34:02Z"}},
		{6*time.Minute + 30*time.Second, []string{"50 known connections to 10.98.0.9 silent since 19:34:02Z: 26 still are, 24 ended"}},
		{time.Hour, []string{"50 known connections to 10.98.0.9 silent from 19:34:02Z to 19:36:59Z: all ended"}},
	} {
		g := newStage(tt.end)
		g.peer = diesAt(only(host(98, 9)), 5*time.Minute, 0)
		g.hosts(40, 50, "shop", time.Minute)
		sentences(t, g.watch(t), tt.want...)
	}
}

// TestRouter: what is behind it is one sentence, not one for each peer.
func TestRouter(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.peer = diesAt(func(a netip.Addr) bool { return a.As4()[3] < 22 }, 5*time.Minute, 0)
	g.hosts(100, 10, "shop", time.Minute)
	sentences(t, g.watch(t), "200 known connections to 20 peers silent from 19:34:00Z to 19:36:59Z: all ended")
}

// TestSinglePeers: single connections to many peers have their owner in common.
func TestSinglePeers(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.peer = diesAt(func(a netip.Addr) bool { return a.As4()[1] == 98 }, 5*time.Minute, 0)
	g.hosts(400, 1, "nginx", time.Minute)
	for range 30 {
		g.live(g.client(host(97, 1), "shop", time.Minute), 0, stays)
	}
	sentences(t, g.watch(t), "400 known connections of nginx, to 400 peers, silent from 19:34:00Z to 19:36:59Z: all ended")
}

// TestEverything: few connections of each owner and to each peer.
func TestEverything(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.peer = diesAt(func(netip.Addr) bool { return true }, 5*time.Minute, 0)
	for p := range 40 {
		g.live(g.client(host(97, p), string(rune('a'+p/4)), time.Minute), time.Duration(p)*time.Second, stays)
	}
	sentences(t, g.watch(t), "40 known connections to 40 peers silent from 19:34:00Z to 19:36:39Z: all ended")
}

// TestFlap: silence and recovery.
func TestFlap(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.peer = diesAt(func(a netip.Addr) bool { return a.As4()[3] < 22 }, 5*time.Minute, 5*time.Minute+45*time.Second)
	g.hosts(40, 50, "shop", 20*time.Second)
	sentences(t, g.watch(t), "1,000 known connections to 20 peers silent from 19:34:40Z to 19:35:54Z: all recovered")
}

// TestFrozen: a process that reads no more closes the windows of its peers. Its
// host has other connections, which are well.
func TestFrozen(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.hosts(40, 50, "shop", time.Minute)
	for range 12 {
		s := g.client(host(98, 9), "shop", time.Minute)
		s.Remote = netip.AddrPortFrom(s.Remote.Addr(), 6379)
		at := 5*time.Minute + time.Duration(g.rng.Int64N(int64(time.Minute)))
		g.tell(s, at, at-time.Second, events.KindSuspended, func(e *events.Event) {
			e.Verdict, e.WaitsFor = events.VerdictSuspended, conn.WaitsWindowProbe
		})
	}
	sentences(t, g.watch(t), "12 known connections to 10.98.0.9:6379 blocked by closed receive windows since 19:35:04Z")
}

// TestResetsAtOnce: a middlebox forgets all connections to a host.
func TestResetsAtOnce(t *testing.T) {
	g := newStage(10 * time.Minute)
	g.hosts(40, 50, "shop", time.Minute)
	for n := range 20 {
		s := g.client(host(97, 1), "shop", time.Minute)
		g.live(s, 0, stays)
		g.events = g.events[:len(g.events)-2] // the latest probe and answer
		g.tell(s, 9*time.Minute+time.Duration(n)*100*time.Millisecond, 8*time.Minute, events.KindEnded, func(e *events.Event) {
			e.By, e.RST, e.Verdict = events.ByPeer, events.RSTUnknownConnection, events.VerdictForgotten
		})
	}
	sentences(t, g.watch(t), "20 known connections to 10.97.0.1 reset from 19:39:00Z to 19:39:01Z")
}

// TestStragglers: what was silent before is of no incident, and counts.
func TestStragglers(t *testing.T) {
	g := newStage(10 * time.Minute)
	slow := g.client(host(98, 2), "shop", time.Minute)
	slow.Keepalive.Count = 127
	g.peer = func(a netip.Addr, heard, now time.Duration) state {
		if now > 5*time.Minute || heard == time.Second {
			return dead
		}
		return answers
	}
	g.live(slow, time.Second, stays)
	g.hosts(1, 20, "shop", time.Minute)
	sentences(t, g.watch(t), "20 of 21 known connections to 10.98.0.2 silent from 19:34:02Z to 19:36:56Z: all ended")
}

// TestEvening: users close their laptops one after another. With the kernel's two
// hours of idle time one moment explains all of them, and says nothing.
func TestEvening(t *testing.T) {
	g := newStage(12 * time.Hour)
	g.peer = func(a netip.Addr, _, now time.Duration) state {
		if now > 4*time.Hour+time.Duration(a.As4()[3])*time.Minute {
			return dead
		}
		return answers
	}
	g.hosts(60, 1, "sshd", 2*time.Hour)
	sentences(t, g.watch(t))
}

// TestOnlyFailures: in a stream of changes alone a connection is not known before
// it fails. What is known of an owner then says nothing of its other ones.
func TestOnlyFailures(t *testing.T) {
	g := newStage(2 * time.Hour)
	g.peer = func(a netip.Addr, _, now time.Duration) state {
		if now > 10*time.Minute+time.Duration(a.As4()[2])<<8+time.Duration(a.As4()[3])*time.Second {
			return dead
		}
		return answers
	}
	g.hosts(400, 1, "nginx", time.Minute)
	g.events = slices.DeleteFunc(g.events, func(e *events.Event) bool { return e.Unanswered < 2 })
	sentences(t, g.watch(t))
}

// TestLateName: a container whose name becomes known while its connections fail is
// in one incident, with its name: known before it is found, and after.
func TestLateName(t *testing.T) {
	for _, after := range []time.Duration{30 * time.Minute, 31*time.Minute + 30*time.Second} {
		g := newStage(time.Hour)
		g.peer = func(_ netip.Addr, _, now time.Duration) state {
			if now > 30*time.Minute {
				return dead
			}
			return answers
		}
		for p := range 40 {
			s := g.client(host(98, p), "shop", time.Minute)
			s.Container = "3f2a9c0d8e1b77"
			g.live(s, time.Duration(g.rng.Int64N(int64(time.Minute))), stays)
		}
		g.hosts(100, 1, "other", 2*time.Hour)
		for i, e := range g.events {
			if e.Container != "" && i%2 == 0 && e.Time.Sub(start) > after {
				e.ContainerName = "web"
			}
		}
		sentences(t, g.watch(t), "40 known connections of container web, to 40 peers, silent from 19:59:00Z to 20:01:57Z: all ended")
	}
}

// TestHostile: what a program calls itself does not reach the terminal raw.
func TestHostile(t *testing.T) {
	i := Incident{Kind: Silence, Scope: Scope{Level: Process, Name: "a\x1b[31m\u202e"}, Affected: 9, Of: 9}
	if s := i.Sentence(time.Time{}); s != conn.Safe(s) {
		t.Errorf("%q", s)
	}
}

// TestRollingRestart is none: the connections of a host are found forgotten, one
// after another, or all at once and are made anew.
func TestRollingRestart(t *testing.T) {
	for _, idle := range []time.Duration{20 * time.Second, time.Minute, 10 * time.Minute} {
		for _, atOnce := range []bool{false, true} {
			g := newStage(time.Hour)
			g.again = idle == time.Minute || atOnce // else other hosts take over
			g.peer = func(a netip.Addr, heard, now time.Duration) state {
				if at := 20*time.Minute + time.Duration(a.As4()[3])*30*time.Second; heard < at && now >= at {
					return forgot
				}
				return answers
			}
			if atOnce = atOnce && idle <= time.Minute; atOnce { // a pool's connections are probed together
				for n := range 800 {
					g.live(g.client(host(98, n/20), "shop", idle), time.Duration(n)*time.Millisecond, stays)
				}
			} else {
				g.hosts(40, 20, "shop", idle)
			}
			sentences(t, g.watch(t))
		}
	}
}

// TestOrdinaryTraffic is none: clients come and go, and some vanish.
func TestOrdinaryTraffic(t *testing.T) {
	for _, idle := range []time.Duration{time.Minute, 10 * time.Minute} {
		g := newStage(4 * time.Hour)
		vanishes := map[netip.Addr]time.Duration{}
		for p := range 3000 {
			if p%4 == 0 {
				vanishes[host(98, p)] = time.Duration(g.rng.Int64N(int64(g.end)))
			}
		}
		g.peer = func(a netip.Addr, _, now time.Duration) state {
			if at := vanishes[a]; at > 0 && now > at {
				return dead
			}
			return answers
		}
		for p := range 3000 {
			for range 1 + g.rng.IntN(3) {
				g.live(g.client(host(98, p), "nginx", idle), time.Duration(g.rng.Int64N(int64(g.end))), func(made time.Duration) time.Duration {
					return made + time.Duration(g.rng.ExpFloat64()*float64(40*time.Minute))
				})
			}
		}
		sentences(t, g.watch(t))
	}
}
