// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"
	"time"
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
	s.size(20, 24)
	s.press("x")
	s.has(t, "select a connectio")
}
