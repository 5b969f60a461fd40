// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// row is the row of the nth peer, blanks folded, with its inks or without.
func (s *scene) row(t *testing.T, remote string) string {
	t.Helper()
	for _, line := range strings.Split(s.text(), "\n") {
		if strings.Contains(line, remote) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	t.Fatalf("no row of %s in:\n%s", remote, s.text())
	return ""
}

// TestHealthyRow: a peer that answers looks healthy also while a probe is out,
// and the row says how old that news is. A second probe ends it.
func TestHealthyRow(t *testing.T) {
	s := newScene(t, testOptions, 80, 16)
	var got []string
	look := func(after time.Duration) {
		s.tick(after)
		got = append(got, s.row(t, "10.0.0.1:40001"))
	}
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	look(0)
	look(12 * time.Second)
	look(48 * time.Second)
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	look(time.Second)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	look(0)
	s.event(ev(events.KindProbe, 1, unanswered(2)))
	look(0)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond), func(e *events.Event) { // by data: the kernel's count stays
		e.Unanswered, e.Has = 2, e.Has|conn.HasUnanswered
	}))
	look(0)
	want := []string{
		"● alive 0s 10.0.0.1:40001 postgres[801] 0/6 60s -",
		"● alive 12s 10.0.0.1:40001 postgres[801] 0/6 48s -",
		"● alive 60s 10.0.0.1:40001 postgres[801] 0/6 now -",
		"● alive 61s 10.0.0.1:40001 postgres[801] 1 out 9s -",
		"● alive 0s 10.0.0.1:40001 postgres[801] 0/6 60s -",
		"▲ silent 10.0.0.1:40001 postgres[801] ███░░░░░░ 2/6 10s 50s",
		"● alive 0s 10.0.0.1:40001 postgres[801] ███░░░░░░ 2/6 60s 2m",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSortedByWhatIsShown: s goes through the columns that are on the screen; a
// terminal that became too narrow for the one in use says which that is.
func TestSortedByWhatIsShown(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.View()
	for _, key := range []string{"s", "S"} {
		var seen []Column
		for range numColumns {
			s.press(key)
			if !strings.ContainsAny(strings.Split(s.text(), "\n")[2], "▼") {
				t.Errorf("%s: sorted by %s, which is not on the screen", key, columnSpecs[s.query.Sort].title)
			}
			if seen = append(seen, s.query.Sort); s.query.Sort == ColVerdict {
				break
			}
		}
		if len(seen) != len(s.table.placed) {
			t.Errorf("%s goes through %v, on the screen are %v", key, seen, s.table.placed)
		}
	}
	s.size(200, 24)
	s.View()
	s.press("S")
	s.hasNot(t, "by container")
	s.size(80, 24)
	s.has(t, "by container")
	s.press("s")
	s.hasNot(t, "by container")
}

// TestFreezeKeepsWhatIsShown: of more connections than a frozen view holds it
// has those that the filter shows, and others as there is room.
func TestFreezeKeepsWhatIsShown(t *testing.T) {
	c := &churn{n: freezeMax + 5000, at: epoch}
	store := NewStore(Options{Now: func() time.Time { return c.at }})
	for range 2 * c.n {
		if err := store.Event(c.next()); err != nil {
			t.Fatal(err)
		}
	}
	m := newModel(store, store.opt)
	m.width, m.height = 120, 40
	m.setFilter("!silent")
	shown := len(m.snap.order)
	m.freeze()
	if got := len(m.snap.order); got != min(shown, freezeMax) {
		t.Errorf("%d rows frozen of %d shown", got, shown)
	}
	m.freeze()
	m.setFilter("silent")
	shown = len(m.snap.order)
	m.freeze()
	if got := len(m.snap.order); got != shown || shown == 0 {
		t.Errorf("%d rows frozen of %d shown", got, shown)
	}
	m.setFilter("")
	if got := len(m.snap.order); got != freezeMax {
		t.Errorf("%d rows without the filter, want %d", got, freezeMax)
	}
	if want := "the frozen view leaves out 5,000 connections: it holds 20,000 at most"; m.caveats()[0] != want {
		t.Errorf("caveats: %q", m.caveats())
	}
}

// TestOneIsSingular: a count of one has a noun in the singular.
func TestOneIsSingular(t *testing.T) {
	opt := testOptions
	opt.MaxEnded, opt.MaxListed, opt.MaxConns = 1, 1, 1
	s := newScene(t, opt, 200, 40)
	s.event(events.Event{Kind: events.KindLost, Lost: events.Lost{Ring: 1, Missed: 1, Follow: 1, Memory: 1}})
	s.list(socket(7, time.Second, 0), socket(8, time.Second, 0))
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	s.event(ev(events.KindProbe, 2, unanswered(1)))
	s.event(ev(events.KindReset, 1, unanswered(1), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.event(ev(events.KindReset, 7, unanswered(1), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.tick(time.Second)
	s.press("/", "n", "o", "t", "h", "i", "n", "g", "enter")
	texts := []string{s.text()}
	s.press("esc", "c")
	texts = append(texts, s.text())
	s.press("esc", "enter")
	texts = append(texts, s.text())
	for _, text := range texts {
		if bad := regexp.MustCompile(`(^|[^0-9,.])1 ((more|ended) )?[a-z]+s\b`).FindString(text); bad != "" && !strings.HasSuffix(bad, "dies") {
			t.Errorf("%q in:\n%s", bad, text)
		}
	}
}

// TestTwinsAreToldApart: connections to one remote address differ by their local
// port, which every width that has room for a second column shows.
func TestTwinsAreToldApart(t *testing.T) {
	server := netip.MustParseAddrPort("10.98.0.2:6379")
	server6 := netip.MustParseAddrPort("[2001:db8:ffff:12::a3f1]:6379")
	for width := 40; width <= 200; width++ {
		s := newScene(t, testOptions, width, 24)
		for n := range 4 {
			s.event(ev(events.KindProbe, n, unanswered(2), func(e *events.Event) {
				e.Local, e.Remote, e.Process = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(40000+n)), server, conn.Process{PID: 7, Comm: "shop"}
				if n > 1 {
					e.Local, e.Remote, e.Family = netip.AddrPortFrom(netip.MustParseAddr("2001:db8:1::5"), uint16(40000+n)), server6, conn.IPv6
				}
			}))
		}
		s.tick(time.Second)
		for n := range 4 {
			if port := fmt.Sprintf(":%d", 40000+n); !strings.Contains(s.text(), port) {
				t.Fatalf("%d cells: no %s in:\n%s", width, port, s.text())
			}
		}
		s.has(t, ":6379")
	}
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.hasNot(t, "LOCAL") // where remote addresses differ they are enough
}

// TestSuspendedIsToldOnce: the firings until it is over are no events, so that
// there is none is not news; the giving up counts down.
func TestSuspendedIsToldOnce(t *testing.T) {
	s := newScene(t, testOptions, 120, 24)
	s.event(ev(events.KindSuspended, 1, func(e *events.Event) {
		e.WaitsFor, e.Verdict = conn.WaitsRetransmission, events.VerdictSuspended
		e.Next, e.DiesIn, e.Has = time.Minute, 15*time.Minute, e.Has|conn.HasNext|conn.HasDiesIn
	}))
	s.tick(10 * time.Minute)
	s.hasNot(t, "no news")
	s.has(t, "5m")
	s.press("enter")
	s.hasNot(t, "No news")
}

// TestRowWithoutAddress: a recording may lack one.
func TestRowWithoutAddress(t *testing.T) {
	for _, width := range []int{40, 80, 200} {
		s := newScene(t, testOptions, width, 24)
		for i := range 3 {
			s.event(ev(events.KindProbe, 1, func(e *events.Event) {
				e.Local = netip.AddrPort{}
				if i == 2 {
					e.Remote = netip.AddrPort{}
				}
			}))
		}
		s.event(ev(events.KindProbe, 1))
		s.tick(time.Second)
		s.press("enter")
		s.hasNot(t, "invalid")
	}
}
