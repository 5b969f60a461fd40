// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/enumtest"
)

// TestOutcomes: how each silence ends, however it is told.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		set     func(*stage, conn.State)
		outcome Outcome
		length  time.Duration
		probes  int
	}{
		{"died", func(g *stage, s conn.State) { g.reset(100, s) }, Died, 90 * time.Second, 3},
		{"of the end alone", func(g *stage, s conn.State) {
			g.add(100, events.KindReset, s, func(e *events.Event) {
				e.IdleFor, e.Unanswered, e.Has = 90*time.Second, 3, e.Has|conn.HasIdleFor|conn.HasUnanswered
			})
		}, Died, 90 * time.Second, 3},
		{"recovered", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 2)
			g.answer(120, s, 0, false, func(e *events.Event) { e.AfterProbes, e.SilentFor = 2, 80*time.Second })
		}, Recovered, 80 * time.Second, 2},
		{"recovered, by the answer alone", func(g *stage, s conn.State) {
			g.answer(120, s, 0, false, func(e *events.Event) { e.AfterProbes, e.SilentFor = 5, 80*time.Second })
		}, Recovered, 80 * time.Second, 5},
		{"recovered, and the answer is missing", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 3)
			g.silent(185, s, 1, 1) // idle for a minute: heard at 125
		}, Recovered, 85 * time.Second, 3},
		{"closed", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 2)
			g.add(115, events.KindClosed, s, nil)
		}, Closed, 75 * time.Second, 2},
		{"open", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 2)
			g.add(121, events.KindHeartbeat, conn.State{}, nil)
		}, Open, 81 * time.Second, 2},
		{"unseen", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 2)
			g.add(124, events.KindHeartbeat, conn.State{}, nil) // 10 s, an eighth, and 2 s to come
		}, Unseen, 70 * time.Second, 2},
		{"another one with its addresses", func(g *stage, s conn.State) {
			g.silent(100, s, 1, 2)
			s.Inode++
			g.silent(400, s, 1, 1)
		}, Unseen, 70 * time.Second, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := one(t, tt.set)
			if len(r.Silences.Longest) != 1 || r.Silences.Count != 1 {
				t.Fatalf("%+v", r.Silences)
			}
			if s := r.Silences.Longest[0]; s.Outcome != tt.outcome || s.For.Span() != tt.length || s.Unanswered != tt.probes {
				t.Errorf("%s, %s, %d probes; want %s, %s, %d", s.Outcome, s.Length(), s.Unanswered, tt.outcome, tt.length, tt.probes)
			}
			if c := r.Connections; (c.Now == 1) != (tt.outcome == Open) || (c.Recovered == 1) != (tt.outcome == Recovered) || (c.Died == 1) != (tt.outcome == Died) || c.Silent != 1 {
				t.Errorf("counted as %+v", c)
			}
		})
	}
}

// TestHealthy: a peer that answers each probe is never silent.
func TestHealthy(t *testing.T) {
	r := one(t, func(g *stage, s conn.State) {
		for n := range 5 {
			g.silent(float64(100*n), s, 1, 1)
			g.answer(float64(100*n)+10, s, time.Millisecond, false, nil)
		}
	})
	if c := r.Connections; c != (Connections{Seen: 1}) || len(r.Incidents)+len(r.Peers)+len(r.Owners)+r.Silences.Count > 0 || r.RoundTrips.Count != 5 {
		t.Errorf("%+v", r)
	}
}

func TestEnums(t *testing.T) {
	enumtest.RoundTrip(t, causes, CauseUnknown, causes.Parse)
	enumtest.RoundTrip(t, outcomes, Unseen, outcomes.Parse)
	for c := KeepaliveCount; c <= CauseUnknown; c++ {
		if c.Words() == "" || c.Meaning() == "" {
			t.Errorf("%s has no words", c)
		}
	}
	for o := Recovered; o <= Unseen; o++ {
		if o.Words() == "" {
			t.Errorf("%s has no words", o)
		}
	}
}

// TestBounded: beyond the bound connections are not followed, but their ends count.
// Those of which nothing was heard for long make room.
func TestBounded(t *testing.T) {
	var g stage
	for n := range 30 {
		g.silent(float64(n), socket("", n, "10.0.0.2:5432", "shop"), 1, 1)
	}
	g.reset(100, socket("", 25, "10.0.0.2:5432", "shop"))
	to := g.gather(Options{most: 20})
	if n := len(to.conns.index); n != 20 {
		t.Errorf("%d are followed", n)
	}
	r := to.Report()
	if r.Connections.Seen != 20 || r.Connections.Died != 1 || r.LeftOut.Events != 10+4 || len(r.Deaths.First) != 1 || len(r.Bounds()) != 1 || !strings.HasPrefix(r.Headline(), "Of more than 20 connections") {
		t.Errorf("%+v, %+v", r.Connections, r.LeftOut)
	}
	for n := range 30 { // ten minutes later those before are believed to be closed
		g.silent(600+float64(n), socket("", 50+n, "10.0.0.2:5432", "shop"), 1, 1)
	}
	to = g.gather(Options{most: 20})
	if r := to.Report(); len(to.conns.index) != 20 || r.Connections.Seen != 40 {
		t.Errorf("%d are followed, %+v", len(to.conns.index), r.Connections)
	}
}

// TestConnections: the order of the latest events, whatever comes and goes.
func TestConnections(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := newConnections(1 << 30)
	var want []conn.ID // the oldest first
	for at := range int64(5000) {
		s := socket("", rng.IntN(40), "10.0.0.2:5432", "shop")
		id := s.ID()
		i := slices.Index(want, id)
		one := c.find(id)
		if (one != nil) != (i >= 0) {
			t.Fatalf("found %v, want %v", one != nil, i >= 0)
		}
		if i >= 0 {
			want = slices.Delete(want, i, i+1)
		}
		switch {
		case one == nil:
			one = c.add(id, at)
			one.Local, one.Remote, one.Netns = s.Local, s.Remote, s.Netns
		case rng.IntN(3) == 0:
			c.drop(one)
			continue
		}
		want = append(want, id)
	}
	var got []conn.ID
	c.all(func(one *connection) bool {
		got = append(got, one.ID())
		return true
	})
	if !slices.Equal(got, want) || len(c.index) != len(want) {
		t.Errorf("%d connections, want %d", len(got), len(want))
	}
}

// TestOwnerKnownLater: a connection counts as its owner's, known late or not.
func TestOwnerKnownLater(t *testing.T) {
	r := one(t, func(g *stage, s conn.State) {
		unknown := s
		unknown.Process = conn.Process{}
		g.silent(100, unknown, 1, 1)
		g.silent(110, s, 1, 3)
		g.reset(200, s)
	})
	if len(r.Owners) != 1 || r.Owners[0].Name != "shop" || r.Owners[0].Connections != 1 || r.Owners[0].Died != 1 {
		t.Errorf("%+v", r.Owners)
	}
	if s := r.Settings; len(s) != 1 || !slices.Equal(s[0].Owners, []Text{"shop"}) {
		t.Errorf("%+v", s)
	}
}

// TestKernelByName: a program that is called "kernel" is not counted with the kernel's
// own sockets, and no command calls it by another name than its own.
func TestKernelByName(t *testing.T) {
	r := one(t, func(g *stage, s conn.State) {
		s.Process.Comm, s.Keepalive.Idle = "kernel", 2*time.Hour
		g.silent(100, s, 1, 3)
		g.reset(200, s)
		s.Local = netip.AddrPortFrom(s.Local.Addr(), 1)
		s.Inode, s.Process, s.HeldBy = 7, conn.Process{}, conn.HeldByKernel
		g.silent(100, s, 1, 3)
		g.reset(200, s)
	})
	if len(r.Owners) != 2 || r.Owners[0].Name != "kernel" || r.Owners[1].Name != "kernel (program)" {
		t.Errorf("%+v", r.Owners)
	}
	if said := fmt.Sprintf("%+v", r.Settings); strings.Contains(said, "--comm") {
		t.Error(said)
	}
}

// TestUnknownByName: a program that is called as what the owner is called where no
// program is known is another one.
func TestUnknownByName(t *testing.T) {
	r := one(t, func(g *stage, s conn.State) {
		s.Has &^= conn.HasUID
		owners := []conn.Process{{}, {PID: 7, Comm: "-"}, {PID: 8, Comm: "uid 0"}, {PID: 9}}
		for i, p := range owners {
			s.Local, s.Inode, s.Process = netip.AddrPortFrom(s.Local.Addr(), uint16(i+1)), uint64(i+1), p
			g.silent(100, s, 1, 3)
			g.reset(200, s)
		}
		s.Local, s.Inode, s.Process, s.Has = netip.AddrPortFrom(s.Local.Addr(), 9), 9, conn.Process{}, s.Has|conn.HasUID
		g.silent(100, s, 1, 3)
		g.reset(200, s)
	})
	var names []string
	for _, p := range r.Owners {
		names = append(names, string(p.Name))
	}
	if want := []string{"(program)", "-", "- (program)", "uid 0", "uid 0 (program)"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

// TestOwnersBeyondTheBound: of settings no more connections are counted as an
// owner's than there are.
func TestOwnersBeyondTheBound(t *testing.T) {
	g := NewGatherer(Options{})
	g.owners.named = map[string]*party{}
	for n := range maxParties - 2 {
		g.owners.named[strconv.Itoa(n)] = &party{}
	}
	s := socket("", 1, "10.0.0.2:5432", "shop")
	for _, comm := range []string{"first", "second", "beyond", "first"} {
		s.Process.Comm = comm
		_ = g.Event(&events.Event{Time: noon, Kind: events.KindProbe, State: s})
	}
	if r := g.Report(); len(r.Settings) != 1 || !slices.Equal(r.Settings[0].Owners, []Text{"first"}) {
		t.Errorf("%+v", r.Settings)
	}
}

// TestDistribution: quantiles are right to 6 percent, and no round trip is left out.
func TestDistribution(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var d distribution
	var all []time.Duration
	for range 10000 {
		v := time.Duration(rng.ExpFloat64() * rng.ExpFloat64() * 1e8).Truncate(time.Microsecond)
		all = append(all, v)
		d.add(v, true)
	}
	slices.Sort(all)
	for _, part := range []float64{0, 0.5, 0.9, 0.99, 1} {
		want := all[max(0, int(part*float64(len(all)))-1)]
		if got := d.quantile(part); got < want || float64(got) > float64(want)*1.0625+1000 {
			t.Errorf("%g: %s, want %s", part, got, want)
		}
	}
	var n uint64
	for _, c := range d.coarse {
		n += c
	}
	if n != d.count || d.most != all[len(all)-1] || d.least != all[0] {
		t.Errorf("%d of %d, from %s to %s", n, d.count, d.least, d.most)
	}
	for us := uint64(0); us < 1<<20; us += 1 + us/100 {
		if bin := fineBin(us); boundOf(bin) < us || bin > 0 && boundOf(bin-1) >= us {
			t.Fatalf("%d us in bin %d, from %d to %d", us, bin, boundOf(bin-1)+1, boundOf(bin))
		}
	}
}

// TestTimeline: however long it gets, what happened is where it happened.
func TestTimeline(t *testing.T) {
	var l timeline
	l.start(5000)
	l.reach(15_000)
	own := l.lane()
	l.silence(6000, 14_000, own)
	l.silence(6000, 8000, nil)
	l.death(14_000, own, nil)
	l.reach(1_000_000)
	if got := l.from + int64(l.bin(14_000))*l.width; got > 14_000 || got+l.width <= 14_000 || l.bin(1_000_000) < bins/2 {
		t.Errorf("14 s is in the step at %d ms, %d ms wide; the end is in %d", got, l.width, l.bin(1_000_000))
	}
	i := l.bin(14_000)
	if own.died[i] != 1 || own.silent[i] != 1 || own.silent[i+1] != 0 || l.all.silent[l.bin(6000)] != 2 {
		t.Errorf("%v %v %v", own.died[:9], own.silent[:9], l.all.silent[:9])
	}
}

// TestSetIsCounted: what katrace set did is told beside, by kind, and is no
// connection of its own.
func TestSetIsCounted(t *testing.T) {
	r := one(t, func(g *stage, s conn.State) {
		g.answer(10, s, 0, false, nil)
		minute := conn.Values{Known: conn.AllFields, On: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
		for range 2 {
			g.add(20, events.KindSet, s, func(e *events.Event) {
				e.Set = &events.Set{By: events.Setter{UID: 1000, Login: 1000}, After: minute}
			})
			s.Local = netip.AddrPortFrom(s.Local.Addr(), 1)
		}
		g.add(30, events.KindSuppressed, conn.State{}, func(e *events.Event) { e.Suppressed = &events.Suppressed{Events: 1} })
	})
	if want := (Hint{2, "katrace set by uid 1000: - -> 60s/10s/6"}); r.Connections.Seen != 1 || len(r.Hints) != 1 || r.Hints[0] != want {
		t.Errorf("%d connections; %+v, want %+v", r.Connections.Seen, r.Hints, want)
	}
	if r.Events["set"] != 2 || r.Events["suppressed"] != 1 || r.Events["stop"] != 0 {
		t.Errorf("%v", r.Events)
	}
}
