// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// start is the beginning of what is staged.
var start = time.Date(2026, 11, 26, 19, 30, 0, 0, time.UTC)

// state is how a peer takes a probe.
type state uint8

const (
	answers state = iota
	dead          // no answer
	forgot        // RST: it does not know the connection
)

// stage makes the events of made-up connections, as the tracker would: probes
// after the idle time, answers told at the firing after, ends.
type stage struct {
	rng    *rand.Rand
	events []*events.Event
	// peer is how a peer takes a probe at a time of a connection that was heard at an
	// earlier one.
	peer func(a netip.Addr, heard, now time.Duration) state
	end  time.Duration
	made int
	// again says whether a client connects anew after an error, a second later.
	again bool
}

func newStage(end time.Duration) *stage {
	return &stage{rng: rand.New(rand.NewPCG(1, 2)), end: end, peer: func(netip.Addr, time.Duration, time.Duration) state { return answers }}
}

func host(net, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(net), byte(n >> 8), byte(n)})
}

// client is the state of one more connection to a service.
func (g *stage) client(to netip.Addr, comm string, idle time.Duration) *conn.State {
	g.made++
	return &conn.State{Netns: 1, Inode: uint64(g.made), Family: conn.IPv4, TCPState: conn.TCPEstablished,
		Local: netip.AddrPortFrom(host(0, 1), uint16(30000+g.made%30000)), Remote: netip.AddrPortFrom(to, 5432),
		Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: comm}}, Has: conn.HasKeepalive | conn.HasIdleFor,
		Keepalive: conn.Settings{Idle: idle, Interval: 10 * time.Second, Count: 6}}
}

func (g *stage) tell(s *conn.State, at, heard time.Duration, kind events.Kind, with func(*events.Event)) {
	e := events.Event{State: *s, Kind: kind, Time: start.Add(at), Timer: conn.Timer{IdleFor: at - heard}}
	if with != nil {
		with(&e)
	}
	g.events = append(g.events, &e)
}

// until says when a connection goes quietly; 0: it does not.
type until func(made time.Duration) time.Duration

func stays(time.Duration) time.Duration { return 0 }

// live plays a connection from the moment on at which it was first heard.
func (g *stage) live(s *conn.State, heard time.Duration, goes until) {
	k := s.Keepalive
	gone := goes(heard)
	unanswered := 0
	answered := false // and not told
	for at := heard + k.Idle; at < g.end; {
		if gone > 0 && at >= gone {
			g.tell(s, gone, heard, events.KindClosed, nil)
			return
		}
		if answered {
			g.tell(s, at, heard, events.KindAnswer, func(e *events.Event) { e.Verdict = events.VerdictAlive })
			answered, unanswered = false, 0
		}
		if unanswered == k.Count {
			g.tell(s, at, heard, events.KindReset, func(e *events.Event) {
				e.Verdict, e.Unanswered, e.Has = events.VerdictTimedOut, unanswered, e.Has|conn.HasUnanswered
			})
			g.anew(s, at, goes)
			return
		}
		unanswered++
		g.tell(s, at, heard, events.KindProbe, func(e *events.Event) {
			if e.Unanswered, e.Has = unanswered, e.Has|conn.HasUnanswered; unanswered > 1 {
				e.Verdict = events.VerdictSilent
			}
		})
		switch g.peer(s.Remote.Addr(), heard, at) {
		case answers:
			answered, heard = true, at
			at += k.Idle
		case forgot:
			g.tell(s, at, at, events.KindPeerReset, func(e *events.Event) { e.Verdict = events.VerdictForgotten })
			g.anew(s, at, goes)
			return
		case dead:
			at += k.Interval
		}
	}
}

// anew connects again, if clients do and the peer is there.
func (g *stage) anew(s *conn.State, at time.Duration, goes until) {
	if at += time.Second; g.again && g.peer(s.Remote.Addr(), at, at) == answers {
		g.live(g.client(s.Remote.Addr(), s.Process.Comm, s.Keepalive.Idle), at, goes)
	}
}

// hosts plays n connections to each of the peers, heard at unrelated times.
func (g *stage) hosts(peers, n int, comm string, idle time.Duration) {
	for p := range peers {
		for range n {
			g.live(g.client(host(98, 2+p), comm, idle), time.Duration(g.rng.Int64N(int64(idle))), stays)
		}
	}
}

// ledger is what a caller knows of a connection.
type ledger struct {
	state   conn.State
	failure *Failure
	known   time.Time
}

// watch plays what was staged to a Watch, as the package's documentation says.
func (g *stage) watch(t testing.TB) []Incident {
	t.Helper()
	slices.SortStableFunc(g.events, func(a, b *events.Event) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	w, all := New(), map[uint64]*ledger{}
	others := func(yield func(*conn.State) bool) {
		for _, c := range all {
			if c.failure == nil && !yield(&c.state) {
				return
			}
		}
	}
	for _, e := range g.events {
		c := all[e.Inode]
		if c == nil {
			c = &ledger{state: e.State, known: e.Time}
			all[e.Inode] = c
		}
		if e.Kind == events.KindClosed {
			w.Forget(c.failure, e.Time)
			delete(all, e.Inode)
			continue
		}
		c.failure = w.Event(c.failure, e, c.known)
		if e.Kind.Ends() {
			delete(all, e.Inode)
		}
		if w.Due(e.Time) {
			w.Look(e.Time, others)
		}
	}
	w.Look(start.Add(g.end+settlesMost), others)
	w.check(t)
	return w.All()
}

// check holds what is counted against what is there.
func (w *Watch) check(t testing.TB) {
	t.Helper()
	n := map[Scope]int{}
	gone, ended := 0, 0
	for _, f := range w.failing {
		switch {
		case f.gone || f.in != nil:
			gone++
			continue
		case f.ended:
			ended++
		}
		for _, s := range f.scopes {
			if s.Level != 0 {
				n[s]++
			}
		}
	}
	for s, p := range w.piles {
		if p.n != n[s] {
			t.Errorf("%+v: counted %d, there are %d", s, p.n, n[s])
		}
	}
	if len(n) != len(w.piles) || gone != w.gone || ended != w.ended {
		t.Errorf("%d scopes, %d gone, %d ended; there are %d, %d, %d", len(w.piles), w.gone, w.ended, len(n), gone, ended)
	}
}

// sentences checks what is said.
func sentences(t *testing.T, all []Incident, want ...string) {
	t.Helper()
	var got []string
	for i := range all {
		got = append(got, all[i].Sentence(start))
	}
	if !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", lines(got), lines(want))
	}
}

func lines(s []string) (all string) {
	for _, l := range s {
		all += fmt.Sprintf("\t%s\n", l)
	}
	return all
}
