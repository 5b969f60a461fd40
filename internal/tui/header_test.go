// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
)

// hasNot checks that the frame does not say any of the words.
func (s *scene) hasNot(t *testing.T, words ...string) {
	t.Helper()
	text := strings.Join(strings.Fields(s.text()), " ")
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("the frame says %q:\n%s", w, s.text())
		}
	}
}

// TestGivenFilterIsShown: the command line's filter is in the header, and an
// empty table names it instead of claiming that no socket has keepalive on.
func TestGivenFilterIsShown(t *testing.T) {
	opt := testOptions
	opt.Filter = "--port 5433"
	for _, size := range [][2]int{{120, 40}, {80, 24}, {60, 12}, {40, 12}} {
		s := newScene(t, opt, size[0], size[1])
		s.has(t, "live · --port 5433", "nothing matches --port 5433 so far")
		s.list()
		s.tick(time.Second)
		s.has(t, "nothing with keepalive on matches --p")
		s.hasNot(t, "no socket has keepalive on")
		s.event(ev(events.KindProbe, 1, unanswered(1)))
		s.tick(time.Second)
		s.has(t, "live · --port 5433")
		s.hasNot(t, "nothing")
		s.press("/", "x")
		s.has(t, "no connection matches /x (esc")
	}
	opt.Filter = "--comm \x1b[2J" + strings.Repeat("long", 50)
	s := newScene(t, opt, 80, 24)
	s.has(t, "lost 0") // however long it is
	s.list()
	s.tick(time.Second)
	for _, line := range strings.Split(s.text(), "\n") {
		if strings.Contains(line, "\x1b") {
			t.Errorf("the filter reaches the terminal raw: %q", line)
		}
	}
	s = newScene(t, testOptions, 80, 24)
	s.list()
	s.tick(time.Second)
	s.has(t, "no socket has keepalive on")
}

// TestCaveatsAreOneSign: what cannot be known takes no line for good, but a
// sign in the header and a page behind a key.
func TestCaveatsAreOneSign(t *testing.T) {
	plain := newScene(t, testOptions, 80, 24)
	plain.hasNot(t, "caveat")
	opt := testOptions
	opt.Lacks = []string{"local send errors", "ICMP errors"}
	opt.Notice = func() string { return "not listed before an event: hidden\x1b[2J" }
	opt.MaxEnded = 1
	s := newScene(t, opt, 80, 24)
	s.everyState()
	if got, want := s.layout().rows, plain.layout().rows; got != want {
		t.Errorf("%d rows with caveats, %d without", got, want)
	}
	s.has(t, "lost 0 · 4 caveats (c)")
	s.hasNot(t, "local send errors", "hidden")
	s.press("c")
	s.has(t, "kprobe cannot know: local send errors", "kprobe cannot know: ICMP errors", "not listed before an event: hidden",
		"1 ended connection dismissed: only the latest 1 are kept")
	s.press("c")
	s.hasNot(t, "local send errors")
	s.press("?")
	s.has(t, "c caveats")
	s.press("esc")
	s.size(40, 12)
	s.has(t, "lost 0 · !4")
	plain.press("c")
	plain.has(t, "nothing is known to be missing")
}

// TestRecordingHasItsOwnTime: a replay's header has the recording's span.
func TestRecordingHasItsOwnTime(t *testing.T) {
	opt := Options{Source: "replay of night.json", Recording: true}
	s := newScene(t, opt, 80, 24)
	s.hasNot(t, "up 0s")
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	s.tick(50 * time.Minute)
	s.has(t, "replay of night.json · 01:02:03 to 01:52:03Z (50m)")
	s.press("space")
	s.tick(time.Hour)
	s.has(t, "FROZEN", "to 01:52:03Z (50m)")
	s.press("space")
	s.tick(23 * time.Hour)
	s.size(120, 40)
	s.has(t, "2026 · 11-22 01:02:03 to 11-23 01:52:03Z (24h50m)")
	s.hasNot(t, "· up ")
}

// TestPagesScroll: a page says that there is more below, and goes there a page
// at a time.
func TestPagesScroll(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.press("?")
	s.has(t, "lines below")
	s.hasNot(t, "Click a row")
	s.press("pgdown", "pgdown")
	s.has(t, "help · end", "Click a row")
	s.press("g")
	s.has(t, "lines below", "↑/k up")
	s.press("down")
	if s.pageTop != 1 {
		t.Errorf("down scrolled to %d", s.pageTop)
	}
	s.size(120, 80)
	s.has(t, "── help ──")
}
