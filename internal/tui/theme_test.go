// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"image/color"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// sgr are the parameters of all the styles in the frame, each once.
func (s *scene) sgr() (found []string) {
	for _, m := range regexp.MustCompile("\x1b\\[([0-9;]*)m").FindAllStringSubmatch(s.View().Content, -1) {
		params := strings.Split(m[1], ";")
		for i := 0; i < len(params); i++ {
			p := params[i]
			if (p == "38" || p == "48") && i+4 < len(params) && params[i+1] == "2" {
				p = strings.Join(params[i:i+5], ";")
				i += 4
			}
			if !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// allInks plays what shows most of the inks.
func allInks(t *testing.T, opt Options) *scene {
	s := newScene(t, opt, 120, 60)
	s.everyState()
	s.press("down", "enter")
	return s
}

// TestNoColour: without colours there is decoration, and nothing else: by the
// option, and where the terminal has none.
func TestNoColour(t *testing.T) {
	opt := testOptions
	opt.NoColor = true
	byOption := allInks(t, opt)
	byOption.Update(tea.ColorProfileMsg{Profile: colorprofile.TrueColor}) // does not bring them back
	noneThere := allInks(t, testOptions)
	noneThere.Update(tea.ColorProfileMsg{Profile: colorprofile.ASCII})
	for _, s := range []*scene{byOption, noneThere} {
		got := s.sgr()
		for _, p := range got {
			if !slices.Contains([]string{"", "0", "1", "2", "4", "7"}, p) {
				t.Errorf("SGR %s in %q", p, got)
			}
		}
		for _, want := range []string{"1", "2", "4", "7"} { // what stands out, what does not, the bars, the selected row
			if !slices.Contains(got, want) {
				t.Errorf("no SGR %s in %q", want, got)
			}
		}
	}
	if got := allInks(t, testOptions).sgr(); !slices.Contains(got, "38;2;122;167;255") {
		t.Errorf("with colours: %q", got)
	}
}

// TestGround: the colours are for the terminal's ground, as far as it tells it.
func TestGround(t *testing.T) {
	const onDark, onLight = "38;2;122;167;255", "38;2;29;79;216"
	s := allInks(t, testOptions)
	for _, step := range []struct {
		ground      color.Color
		want, other string
	}{{nil, onDark, onLight}, {color.White, onLight, onDark}, {color.Black, onDark, onLight}} {
		if step.ground != nil {
			s.Update(tea.BackgroundColorMsg{Color: step.ground})
		}
		if got := s.sgr(); !slices.Contains(got, step.want) || slices.Contains(got, step.other) {
			t.Errorf("on %v: %q", step.ground, got)
		}
	}
}

// TestSixteenColours: on a terminal with few colours, such as the Linux
// console, all are its own, and none is blue on black.
func TestSixteenColours(t *testing.T) {
	s := allInks(t, testOptions)
	s.Update(tea.ColorProfileMsg{Profile: colorprofile.ANSI})
	got := s.sgr()
	for _, p := range got {
		if strings.HasPrefix(p, "38") || strings.HasPrefix(p, "48") || p == "34" || p == "94" {
			t.Errorf("SGR %s in %q", p, got)
		}
	}
	for _, want := range []string{"96", "91", "92", "7"} {
		if !slices.Contains(got, want) {
			t.Errorf("no SGR %s in %q", want, got)
		}
	}
	s.Update(tea.ColorProfileMsg{Profile: colorprofile.TrueColor})
	if got := s.sgr(); !slices.Contains(got, "38;2;122;167;255") {
		t.Errorf("with all colours again: %q", got)
	}
}

// TestNoNewsFades: a row that the timer is overdue of does not look as sure of
// its verdict as others.
func TestNoNewsFades(t *testing.T) {
	const green, dim = "\x1b[38;2;95;211;138m●", "\x1b[38;2;139;146;165m●"
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	row := func() string { return s.lines()[3] }
	s.tick(time.Second)
	if !strings.Contains(row(), green) {
		t.Errorf("%q", row())
	}
	s.tick(time.Hour)
	if !strings.Contains(row(), dim) || strings.Contains(row(), green) {
		t.Errorf("an hour later: %q", row())
	}
	// What has ended waits for no timer, whatever is told of it late.
	s.event(ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.event(ev(events.KindTimer, 1, func(e *events.Event) {
		e.Reason, e.Next, e.Has = events.ReasonClosed, time.Second, e.Has|conn.HasNext
	}))
	s.tick(time.Hour)
	if s.snap.NoNews != 0 || strings.Contains(s.text(), "no news") {
		t.Errorf("no news of what has ended:\n%s", s.text())
	}
}
