// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// typed enters a text, key by key.
func (s *scene) typed(text string) {
	for _, r := range text {
		if r == ' ' {
			s.press("space")
			continue
		}
		s.press(string(r))
	}
}

// TestFilterStartsEmpty: a new filter does not go on where the last one ended;
// the up arrow calls that one back.
func TestFilterStartsEmpty(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	rows := func(when string, text string, want int) {
		t.Helper()
		if got := s.input.String(); got != text || len(s.snap.order) != want {
			t.Errorf("%s: filter %q with %d rows, want %q with %d", when, got, len(s.snap.order), text, want)
		}
	}
	s.press("/", "up")
	rows("nothing to call back", "", 23)
	s.typed("silent")
	s.press("enter", "/")
	rows("the second /", "", 23)
	s.typed("10.0.0.13")
	rows("typed", "10.0.0.13", 1)
	s.press("up")
	rows("called back", "silent", 3)
	s.press("down")
	rows("down", "", 23)
	s.press("up", "enter")
	rows("kept", "silent", 3)
	s.press("esc", "/", "up")
	rows("after esc", "silent", 3)
	for range "silent" {
		s.press("backspace")
	}
	s.press("up")
	rows("rubbed out", "silent", 3)
}

// TestSaidBesideTheKeys: a sentence in the footer leaves the keys there, and
// goes with the next key.
func TestSaidBesideTheKeys(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("y")
	s.has(t, "? help", "/ filter", "select a connection first")
	s.press("down")
	s.hasNot(t, "select a connection first")
	s.has(t, "row 1/23")
	s.press("esc")
	s.has(t, " 23 rows")
	s.press("x")
	for range 20 {
		s.tick(time.Second / 5)
	}
	s.hasNot(t, "select a connection first")
	for w := 40; w < 80; w++ {
		s.size(w, 24)
		s.press("x")
		s.has(t, "? help", "select a connection first")
	}
	s.size(20, 24)
	s.press("x")
	s.has(t, "select a connectio")
}

// TestFilterFindsTheSameInTheLog: what finds a row by who it is finds its lines
// in the log, also those of events that did not know.
func TestFilterFindsTheSameInTheLog(t *testing.T) {
	opt := testOptions
	opt.NetnsName = func(inode uint32) string { return map[uint32]string{4026531840: "Red"}[inode] }
	for _, filter := range []string{"0b9e5c1a-7d3f", "3f2a9c0d3f2a", "/kubepods.slice", "postgres[819]", "POSTGRES[819]", "uid:105", "10.0.0.19:40019", "red", "netns:red", "4026531840"} {
		s := newScene(t, opt, 140, 40)
		s.event(ev(events.KindProbe, 19, unanswered(1), inPod))
		nobody := func(e *events.Event) { e.Process, e.UID, e.Has = conn.Process{}, 0, e.Has&^conn.HasUID }
		s.event(ev(events.KindProbe, 19, unanswered(2), nobody))
		s.event(ev(events.KindClosed, 19, nobody))
		s.event(ev(events.KindProbe, 19, unanswered(1), inPod))
		s.event(ev(events.KindProbe, 3, unanswered(1), nobody, func(e *events.Event) { e.Netns = 7 }))
		s.tick(time.Second)
		if n := len(s.log.matching(s.model)); n != 5 {
			t.Fatalf("%d lines without a filter", n)
		}
		s.press("/")
		s.typed(filter)
		if rows, lines := len(s.snap.order), len(s.log.matching(s.model)); rows != 1 || lines != 4 {
			t.Errorf("%q: %d rows and %d lines of the log, want 1 and 4", filter, rows, lines)
		}
	}
}

// TestNetnsHasItsName: the detail names the namespace as ip netns does.
func TestNetnsHasItsName(t *testing.T) {
	opt := testOptions
	opt.NetnsName = func(inode uint32) string { return map[uint32]string{4026531840: "r\x1bed"}[inode] }
	s := newScene(t, opt, 80, 24)
	s.event(ev(events.KindProbe, 1, unanswered(1), inPod))
	s.tick(time.Second)
	s.press("enter")
	s.has(t, "netns r\ufffded (4026531840)", "container 3f2a9c0d3f2a")
}
