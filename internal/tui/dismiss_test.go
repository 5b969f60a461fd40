// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"net/netip"
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
