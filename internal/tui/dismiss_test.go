// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"net/netip"
	"runtime"
	"testing"

	tea "charm.land/bubbletea/v2"

	"katrace/internal/events"
)

// fullOfEnded makes a view of live connections with all the ended ones that are kept.
func fullOfEnded(tb testing.TB, live int) *model {
	tb.Helper()
	s, c := loaded(tb, live, live)
	for i := range defaultMaxEnded {
		e := c.next()
		e.Kind, e.Verdict = events.KindReset, events.VerdictTimedOut
		e.Local = netip.AddrPortFrom(e.Local.Addr(), uint16(1+i))
		if err := s.Event(e); err != nil {
			tb.Fatal(err)
		}
	}
	m := newModel(s, s.opt)
	m.width, m.height = 120, 40
	m.refresh()
	if got := m.snap.EndedKept(); got != defaultMaxEnded {
		tb.Fatalf("%d ended, want %d", got, defaultMaxEnded)
	}
	return m
}

// TestDismissAllLooksAtTheEnded: dismissing does not copy the rows, which may be
// hundreds of thousands, and lets the reader have the Store meanwhile.
func TestDismissAllLooksAtTheEnded(t *testing.T) {
	const live = 50_000
	m := fullOfEnded(t, live)
	dropped, breaths := defaultMaxEnded, 0
	m.live.between = func() {
		breaths++
		m.live.mu.Lock() // by now somebody else may have it
		dropped = min(dropped, m.live.ended.n)
		m.live.mu.Unlock()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ids := m.src.endedIn(m.query)
	m.src.dismiss(ids)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("%d bytes to dismiss %d of %d rows", got, len(ids), live+defaultMaxEnded)
	}
	if want := 2 * (defaultMaxEnded/chunk - 1); breaths < want || dropped == defaultMaxEnded || dropped == 0 {
		t.Errorf("the lock was given up %d times, with %d left at the last", breaths, dropped)
	}
	if got := m.live.ended.n; got != 0 {
		t.Errorf("%d ended are left", got)
	}
}

// TestDismissAllIsOfTheShown: what a filter hides stays; while frozen what is
// shown goes from what goes on behind it, too.
func TestDismissAllIsOfTheShown(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("/")
	s.typed("10.0.0.11")
	s.press("enter", "X", "X", "esc")
	if got, want := s.counted(), "timed_out 1 silent 3 unreachable 2 congested 1 suspended 1 asking 1 alive 12 waiting 1 "; got != want {
		t.Errorf("after the filtered X: %s, want %s", got, want)
	}
	s.press("space")
	s.event(ev(events.KindReset, 30, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.press("X", "X")
	if s.snap.EndedKept() != 0 {
		t.Errorf("frozen: %d ended are left", s.snap.EndedKept())
	}
	s.press("space")
	if got := s.snap.Counts[classTimedOut]; got != 1 {
		t.Errorf("thawed: %d ended, want the one that came meanwhile", got)
	}
}

// BenchmarkDismissAll dismisses 10,000 ended connections among 200,000 rows, the asking and the doing.
func BenchmarkDismissAll(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m := fullOfEnded(b, defaultMaxConns-defaultMaxEnded)
		b.StartTimer()
		m.pressed(tea.KeyPressMsg{Code: 'X', Text: "X"})
		m.pressed(tea.KeyPressMsg{Code: 'X', Text: "X"})
		if m.snap.EndedKept() != 0 {
			b.Fatalf("%d left", m.snap.EndedKept())
		}
	}
}

// EndedKept is the number of connections of the snapshot that have ended.
func (sn *Snapshot) EndedKept() (n int) {
	for c := range numClasses {
		if c.ended() {
			n += sn.Counts[c]
		}
	}
	return n
}
