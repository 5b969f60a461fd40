// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"image/color"
	"regexp"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
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
