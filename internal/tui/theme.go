// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// glyphs are the signs that the view draws: one set for UTF-8, one for ASCII.
type glyphs struct {
	class               [numClasses]string
	ellipsis            string
	cursor              string // before the selected row
	up, down            string // the direction of sorting
	full, empty         string // of a bar
	spark               []string
	rule                string
	arrow               string // from local to remote
	bullet              string
	sent, planned, died string // on the timeline
	now, line           string
	sep                 string
}

var unicodeGlyphs = glyphs{
	class:    [numClasses]string{"✖", "↻", "⊗", "▲", "⊘", "≈", "‖", "?", "●", "○"},
	ellipsis: "…", cursor: "▌", up: "▲", down: "▼",
	full: "█", empty: "░",
	spark: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	rule:  "─", arrow: "→", bullet: "•",
	sent: "●", planned: "○", died: "✖", now: "┃", line: "─", sep: " · ",
}

var asciiGlyphs = glyphs{
	class:    [numClasses]string{"X", "R", "U", "!", "u", "~", "=", "?", "+", "."},
	ellipsis: "~", cursor: ">", up: "^", down: "v",
	full: "#", empty: ".",
	spark: []string{"_", "_", ".", "-", "-", "=", "^", "^"},
	rule:  "-", arrow: "->", bullet: "*",
	sent: "o", planned: ".", died: "X", now: "|", line: "-", sep: " - ",
}

// theme is how the view looks on this terminal.
type theme struct {
	ascii bool
	plain bool // no colours: what is selected is shown in reverse
	dark  bool
	glyph *glyphs

	text, dim, bold, title, key lipgloss.Style
	bar, barTitle               lipgloss.Style // the header's and the titles' ground
	brand, alarm, badge, warn   lipgloss.Style
	class                       [numClasses]lipgloss.Style
	selected                    color.Color
}

func newTheme(dark, ascii, plain bool) *theme {
	pick := lipgloss.LightDark(dark)
	c := func(light, dark string) color.Color { return pick(lipgloss.Color(light), lipgloss.Color(dark)) }
	fg := func(col color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(col) }

	red, orange := c("#c4001d", "#ff5f6d"), c("#b54708", "#ff9e4a")
	yellow, magenta := c("#8a6100", "#f2cf5b"), c("#8b1fa9", "#d68cff")
	blue, cyan, green := c("#1d4fd8", "#7aa7ff"), c("#00708a", "#5fd7e0"), c("#1a7f37", "#5fd38a")
	gray, ground := c("#6b7280", "#8b92a5"), c("#e8eaf0", "#262b38")

	t := &theme{ascii: ascii, plain: plain, dark: dark, glyph: &unicodeGlyphs}
	if ascii {
		t.glyph = &asciiGlyphs
	}
	t.text = lipgloss.NewStyle()
	t.bold = t.text.Bold(true)
	t.dim = fg(gray)
	t.title = fg(blue).Bold(true)
	t.key = fg(cyan).Bold(true)
	t.brand = lipgloss.NewStyle().Bold(true).Foreground(c("#ffffff", "#10131a")).Background(c("#1d4fd8", "#7aa7ff"))
	t.alarm = lipgloss.NewStyle().Bold(true).Foreground(c("#ffffff", "#10131a")).Background(red)
	t.badge = lipgloss.NewStyle().Bold(true).Foreground(c("#ffffff", "#10131a")).Background(cyan)
	t.warn = fg(orange)
	t.bar = lipgloss.NewStyle().Background(ground)
	t.barTitle = fg(gray).Background(ground)
	if plain {
		// Without colours: decoration alone tells what stands out.
		t.brand, t.alarm, t.badge = t.bold.Reverse(true), t.bold.Reverse(true), t.bold.Reverse(true)
		t.dim = lipgloss.NewStyle().Faint(true)
		t.bar, t.barTitle = lipgloss.NewStyle().Underline(true), lipgloss.NewStyle().Underline(true)
		t.warn = t.bold
	}
	t.selected = c("#cfdcff", "#2f3d5c")
	t.class = [numClasses]lipgloss.Style{
		classTimedOut: fg(red).Bold(true), classRebooted: fg(magenta).Bold(true), classUnreachableEnded: fg(red).Bold(true),
		classSilent: fg(orange).Bold(true), classUnreachable: fg(yellow).Bold(true), classCongested: fg(yellow),
		classSuspended: fg(blue), classAsking: fg(cyan), classAlive: fg(green), classWaiting: fg(gray),
	}
	return t
}

// on returns the style as it is on the selected row, or as it is.
func (t *theme) on(s lipgloss.Style, selected bool) lipgloss.Style {
	switch {
	case !selected:
		return s
	case t.plain:
		return s.Reverse(true).Faint(false)
	}
	return s.Background(t.selected)
}

// on2 returns the style fg on the ground of the style under it.
func (t *theme) on2(fg, ground lipgloss.Style) lipgloss.Style {
	if t.plain {
		return fg.Underline(true)
	}
	return fg.Background(ground.GetBackground())
}
