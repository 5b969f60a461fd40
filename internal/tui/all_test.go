// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/test/fields"
)

// TestKindsAreShown names the kind of event that the live view cannot take, or
// whose end its log does not show as one.
func TestKindsAreShown(t *testing.T) {
	for i, name := range events.KindNames() {
		k := events.Kind(i + 1)
		s := newScene(t, Options{}, 200, 20)
		s.setFilter(name)
		s.press("L")
		e := ev(k, 13)
		s.event(e)
		s.tick(time.Second)
		log := strings.Join(s.lines(), "\n")
		if words := string(events.AppendWords(nil, &e)); !strings.Contains(log, words) {
			t.Errorf("%s: the log, filtered by its name, does not show %q:\n%s", name, words, log)
		}
		if asEnd := s.theme.class[classTimedOut].Render(s.theme.fit(name, 12) + " "); strings.Contains(log, asEnd) != k.Ends() {
			t.Errorf("%s: is an end, %t, which its colour in the log does not show", name, k.Ends())
		}
	}
}

// TestLossesAreShown names what of the losses the header has no word on.
func TestLossesAreShown(t *testing.T) {
	fields.Each(new(events.Lost), func(path string, _ reflect.Value) {
		var lost events.Lost
		fields.Each(&lost, func(p string, f reflect.Value) {
			if p == path {
				fields.Set(f, 3)
			}
		})
		t.Run(path, func(t *testing.T) {
			s := newScene(t, Options{}, 200, 20)
			s.event(events.Event{Kind: events.KindLost, Lost: lost})
			s.tick(time.Second)
			s.has(t, " 3 LOST ", " LOST 3 ")
		})
	})
}

// TestClassesAreWhole names what a class of connections was not given.
func TestClassesAreWhole(t *testing.T) {
	theme := newTheme(look{dark: true})
	signs := map[string]class{}
	for c := range numClasses {
		if c.String() == "" || classHelp[c] == "" {
			t.Errorf("class %d, %q: has no word, or no help: %q", c, c, classHelp[c])
		}
		for _, glyph := range []string{unicodeGlyphs.class[c], asciiGlyphs.class[c]} {
			if other, taken := signs[glyph]; taken && other != c || cells(glyph) != 1 {
				t.Errorf("%s: %q is no sign of its own of one cell", c, glyph)
			}
			signs[glyph] = c
		}
		if theme.class[c].open == "" {
			t.Errorf("%s: has no colour", c)
		}
		if !slices.Contains(shyness, c) {
			t.Errorf("%s: its word never gives way where the counts are too wide", c)
		}
	}
	if len(shyness) != int(numClasses) {
		t.Errorf("%d classes give way, of %d", len(shyness), numClasses)
	}
}
