// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// churn makes events about n connections, as a busy machine would: a tenth is
// silent, the others answer.
type churn struct {
	n, i  int
	at    time.Time
	event events.Event
}

func (c *churn) next() *events.Event {
	id := c.i * 7919 % c.n
	c.i++
	c.at = c.at.Add(10 * time.Microsecond)
	c.event = events.Event{
		State: conn.State{Netns: 4026531840, Inode: uint64(id + 1), Family: conn.IPv4, TCPState: conn.TCPEstablished, Local: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 5432), Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(id >> 16), byte(id >> 8), byte(id)}), 40000), Keepalive: conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}, Has: conn.HasKeepalive | conn.HasUnanswered | conn.HasNext | conn.HasDiesIn | conn.HasIdleFor, Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "postgres"}}},
		Timer: conn.Timer{IdleFor: time.Minute},
		Time:  c.at,
	}
	e := &c.event
	switch {
	case id%10 == 0:
		e.Kind, e.Verdict, e.Unanswered, e.Next, e.DiesIn = events.KindProbe, events.VerdictSilent, 2+id%4, 10*time.Second, time.Duration(10+id%50)*time.Second
	case c.i%2 == 0:
		e.Kind, e.Unanswered, e.Next, e.DiesIn = events.KindProbe, 1, 10*time.Second, time.Minute
	default:
		e.Kind, e.Verdict, e.Next, e.DiesIn = events.KindAnswer, events.VerdictAlive, time.Minute, 2*time.Minute
		e.Has |= events.HasRTT
		e.RTT, e.RTTExact = time.Duration(80+id%100)*time.Microsecond, true
	}
	return e
}

// loaded makes a store that holds n connections.
func loaded(tb testing.TB, n, events int) (*Store, *churn) {
	tb.Helper()
	c := &churn{n: n, at: epoch}
	s := NewStore(Options{Now: func() time.Time { return c.at }})
	for range events {
		if err := s.Event(c.next()); err != nil {
			tb.Fatal(err)
		}
	}
	return s, c
}

var epoch = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

func BenchmarkStoreEvent(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
			s, c := loaded(b, n, 20*n) // the stories have grown as far as they may
			benchStore(b, s, c)
		})
	}
	b.Run("untold", func(b *testing.B) {
		s, c := loaded(b, 20_000, 40_000)
		s.opt.Untold = true
		benchStore(b, s, c)
	})
}

func benchStore(b *testing.B, s *Store, c *churn) {
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Event(c.next()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSnapshot takes snapshots of 100,000 connections with 20,000 events
// between them, as 100,000 events a second make.
func BenchmarkSnapshot(b *testing.B) {
	queries := map[string]Query{
		"worst": {}, "remote": {Sort: ColRemote}, "last": {Sort: ColLast}, "filter": {filter: newFilter("silent 10.0.1")},
	}
	for name, q := range queries {
		b.Run(name, func(b *testing.B) {
			s, c := loaded(b, 100_000, 200_000)
			var sn Snapshot
			s.Snapshot(q, 0, &sn)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for range 20_000 {
					if err := s.Event(c.next()); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				s.Snapshot(q, s.total, &sn)
			}
		})
	}
}

// BenchmarkSnapshotFull takes snapshots of a Store that holds all it may:
// 200,000 connections with events, 100,000 that are only listed, 10,000 ended.
func BenchmarkSnapshotFull(b *testing.B) {
	s, c := loaded(b, defaultMaxConns, 2*defaultMaxConns)
	listed := churn{n: defaultMaxConns + MaxListed, at: c.at}
	l := s.Listing()
	for range listed.n {
		l.Add(listed.socket())
	}
	l.Done(0)
	ended := churn{n: 4 * defaultMaxConns, at: c.at}
	for i := range defaultMaxEnded {
		ended.i = defaultMaxConns + i
		e := ended.next()
		e.Kind, e.Verdict, e.Local = events.KindReset, events.VerdictTimedOut, netip.AddrPortFrom(e.Local.Addr(), 1)
		if s.seen() < defaultMaxConns { // one ends, another begins
			b.Fatal("not full")
		}
		s.opt.MaxConns++
		if err := s.Event(e); err != nil {
			b.Fatal(err)
		}
	}
	var sn Snapshot
	s.Snapshot(Query{}, 0, &sn)
	if got, want := sn.Kept(), defaultMaxConns+MaxListed+defaultMaxEnded; got != want || sn.EndedKept() != defaultMaxEnded {
		b.Fatalf("%d rows, %d of them ended; want %d", got, sn.EndedKept(), want)
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range 20_000 {
			if err := s.Event(c.next()); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		s.Snapshot(Query{}, s.total, &sn)
	}
}

// socket is the next connection as a listing shows it.
func (c *churn) socket() *events.Event {
	e := c.next()
	e.Kind, e.Verdict, e.Unanswered, e.Next, e.DiesIn = 0, 0, 0, time.Minute, 2*time.Minute
	return e
}

// BenchmarkListing lists 100,000 sockets into a Store that knows them.
func BenchmarkListing(b *testing.B) {
	c := churn{n: MaxListed, at: epoch}
	s := NewStore(Options{})
	b.ReportAllocs()
	for b.Loop() {
		l := s.Listing()
		for range MaxListed {
			l.Add(c.socket())
		}
		l.Done(0)
	}
	if n := len(s.conns); n != MaxListed {
		b.Fatalf("%d rows", n)
	}
}

// BenchmarkView draws a frame of a large terminal.
func BenchmarkView(b *testing.B) {
	s, c := loaded(b, 100_000, 200_000)
	m := newModel(s, Options{Now: func() time.Time { return c.at }})
	m.width, m.height = 200, 60
	m.refresh()
	b.ReportAllocs()
	for b.Loop() {
		m.lines()
	}
}
