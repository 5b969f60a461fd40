// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/events"
)

var testOptions = Options{Backend: "kprobe", Kernel: "6.12.107"}

// surfaces are the states of the view that are drawn in the golden files and
// in the sweep over all sizes.
var surfaces = []struct {
	name string
	opt  Options
	play func(s *scene)
}{
	{"empty", testOptions, func(*scene) {}},
	{"table", testOptions, func(s *scene) { s.everyState() }},
	{"selected", testOptions, func(s *scene) { s.everyState(); s.press("down", "down", "down") }},
	{"sorted", testOptions, func(s *scene) { s.everyState(); s.press("s", "r") }},
	{"detail-timed-out", testOptions, func(s *scene) { s.everyState(); s.press("down", "enter") }},
	{"detail-silent", testOptions, func(s *scene) { s.everyState(); s.press("down", "down", "down", "down", "enter") }},
	{"detail-story", testOptions, func(s *scene) { s.everyState(); s.press("end", "up", "enter", "end") }},
	{"detail-pod", testOptions, func(s *scene) {
		s.everyState()
		s.press("/", "4", "0", "0", "1", "9", "enter", "down", "enter")
	}},
	{"detail-gone", testOptions, func(s *scene) {
		s.everyState()
		s.press("end", "up", "enter")
		s.event(ev(events.KindClosed, 41))
		s.tick(time.Second)
	}},
	{"log", testOptions, func(s *scene) { s.everyState(); s.press("L") }},
	{"log-back", testOptions, func(s *scene) {
		s.everyState()
		for range 20 {
			s.event(ev(events.KindProbed, 20))
		}
		s.tick(time.Second)
		s.press("L", "up", "up", "up")
	}},
	{"log-flood", testOptions, func(s *scene) {
		s.everyState()
		for range 10_012 {
			s.event(ev(events.KindAnswer, 41, answered(time.Millisecond)))
		}
		s.press("L")
		s.tick(time.Second)
	}},
	{"help", testOptions, func(s *scene) { s.press("?") }},
	{"filter", testOptions, func(s *scene) { s.everyState(); s.press("/", "s", "i", "l", "e", "n", "t") }},
	{"filter-kept", testOptions, func(s *scene) { s.everyState(); s.press("/", "1", "0", ".", " ", "!", "a", "l", "enter") }},
	{"filter-none", testOptions, func(s *scene) { s.everyState(); s.press("/", "x", "y", "z") }},
	{"ended", testOptions, func(s *scene) { s.everyState(); s.press("d") }},
	{"frozen", testOptions, func(s *scene) {
		s.everyState()
		s.press("space")
		for range 40 {
			s.event(ev(events.KindProbe, 13, unanswered(5)))
		}
		s.tick(7 * time.Second)
	}},
	{"lost", Options{Backend: "tracepoint", Kernel: "5.10.0", Lacks: []string{"local send errors", "ICMP errors", "zero-window probes"},
		MaxEnded: 1, Notice: func() string { return "3 damaged lines skipped, the first is line 17" }}, func(s *scene) {
		s.everyState()
		s.event(events.Event{Kind: events.KindLost, Lost: events.Lost{Ring: 1234, Missed: 5}})
		s.tick(time.Second)
	}},
	{"no-news", testOptions, func(s *scene) { s.everyState(); s.tick(5 * time.Minute) }},
	{"ascii", Options{Backend: "kprobe", Kernel: "6.12.107", ASCII: true, NoColor: true}, func(s *scene) { s.everyState(); s.press("down") }},
	{"listed", testOptions, func(s *scene) { s.listedScene() }},
	{"detail-listed", testOptions, func(s *scene) { s.listedScene(); s.press("end", "enter") }},
	{"groups", testOptions, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "down") }},
	{"groups-owner", testOptions, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "t") }},
	{"groups-settings", testOptions, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "t", "t") }},
	{"groups-netns", testOptions, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "t", "t", "t") }},
	{"groups-ascii", Options{ASCII: true, NoColor: true}, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "down") }},
	{"group", testOptions, func(s *scene) { s.everyState(); s.deadHost(); s.press("t", "enter") }},
	{"group-none", testOptions, func(s *scene) { s.press("t") }},
	{"toast", testOptions, func(s *scene) { s.everyState(); s.press("X") }},
}

func TestGolden(t *testing.T) {
	sizes := [][2]int{{80, 24}, {120, 40}, {200, 60}, {40, 12}}
	for _, sf := range surfaces {
		for i, size := range sizes {
			switch sf.name {
			case "table", "detail-silent", "log", "help", "frozen", "lost", "filter", "listed", "groups":
			default:
				if i > 0 {
					continue // the one size says it all
				}
			}
			name := fmt.Sprintf("%s-%dx%d", sf.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				s := newScene(t, sf.opt, size[0], size[1])
				sf.play(s)
				golden(t, name, s.lines())
			})
		}
	}
}

// TestGeometry draws every surface at every size: no panic, no line too wide,
// none too many.
func TestGeometry(t *testing.T) {
	maxW, maxH := 130, 40
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, sf := range surfaces {
		t.Run(sf.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, sf.opt, 80, 24)
			sf.play(s)
			check := func(w, h int) {
				s.size(w, h)
				lines := s.lines()
				if len(lines) > h {
					t.Fatalf("%dx%d: %d lines", w, h, len(lines))
				}
				for i, l := range lines {
					if n := ansi.StringWidth(l); n > w {
						t.Fatalf("%dx%d: line %d is %d wide: %q", w, h, i, n, ansi.Strip(l))
					}
					if strings.ContainsAny(ansi.Strip(l), "\n\r\t\x1b") {
						t.Fatalf("%dx%d: line %d breaks out: %q", w, h, i, l)
					}
				}
			}
			for w := 1; w <= maxW; w += step {
				// Every height at every seventh width, every width at some heights.
				for h := 1; h <= maxH; h++ {
					if w%7 == 1 || h <= 6 || h == 12 || h == 24 || h == maxH {
						check(w, h)
					}
				}
			}
			check(0, 0)
			check(200, 60)
			check(400, 2)
			check(2, 200)
		})
	}
}

// TestFillsTheScreen: a frame covers its screen, so that nothing of the one before stays.
func TestFillsTheScreen(t *testing.T) {
	for _, sf := range surfaces {
		s := newScene(t, sf.opt, 80, 24)
		sf.play(s)
		if n := len(s.lines()); n != 24 {
			t.Errorf("%s: %d lines of 24", sf.name, n)
		}
	}
}

// TestWithoutColour: every verdict is told by a sign and a word of its own.
func TestWithoutColour(t *testing.T) {
	for _, ascii := range []bool{false, true} {
		g := unicodeGlyphs
		if ascii {
			g = asciiGlyphs
		}
		seen := map[string]class{}
		for c := range numClasses {
			if other, ok := seen[g.class[c]]; ok {
				t.Errorf("%d and %d share the sign %q", other, c, g.class[c])
			}
			seen[g.class[c]] = c
			if w := ansi.StringWidth(g.class[c]); w != 1 {
				t.Errorf("sign %q is %d cells wide", g.class[c], w)
			}
		}
	}
}
