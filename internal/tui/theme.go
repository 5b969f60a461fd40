// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"image/color"

	"charm.land/bubbles/v2/help"
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
	class:    [numClasses]string{"✖", "↻", "⊣", "↯", "⊗", "▲", "⊘", "≈", "‖", "?", "●", "○"},
	ellipsis: "…", cursor: "▌", up: "▲", down: "▼",
	full: "█", empty: "░",
	spark: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	rule:  "─", arrow: "→", bullet: "•",
	sent: "●", planned: "○", died: "✖", now: "┃", line: "─", sep: " · ",
}

var asciiGlyphs = glyphs{
	class:    [numClasses]string{"X", "F", "A", "R", "U", "!", "u", "~", "=", "?", "+", "."},
	ellipsis: "~", cursor: ">", up: "^", down: "v",
	full: "#", empty: ".",
	spark: []string{"_", "_", ".", "-", "-", "=", "^", "^"},
	rule:  "-", arrow: "->", bullet: "*",
	sent: "o", planned: ".", died: "X", now: "|", line: "-", sep: " - ",
}

// theme is how the view looks on this terminal.
type theme struct {
	ascii bool
	glyph *glyphs

	text, dim, bold, title, key ink
	spark, warn                 ink
	bar, barTitle, barSort      ink // the header's and the titles' ground
	brand, alarm, badge         ink
	class                       [numClasses]ink
	help                        help.Styles
}

// newTheme makes the theme for a dark or light terminal. Without colours
// (plain), decoration alone tells what stands out.
func newTheme(dark, ascii, plain bool) *theme {
	pick := lipgloss.LightDark(dark)
	c := func(light, dark string) color.Color { return pick(lipgloss.Color(light), lipgloss.Color(dark)) }
	fg := func(col color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(col) }
	none := lipgloss.NewStyle()

	red, orange := c("#c4001d", "#ff5f6d"), c("#b54708", "#ff9e4a")
	yellow, magenta := c("#8a6100", "#f2cf5b"), c("#8b1fa9", "#d68cff")
	blue, cyan, green := c("#1d4fd8", "#7aa7ff"), c("#00708a", "#5fd7e0"), c("#1a7f37", "#5fd38a")
	gray, ground, paper := c("#5f6672", "#8b92a5"), c("#e4e4e4", "#303030"), c("#ffffff", "#10131a")

	t := &theme{ascii: ascii, glyph: &unicodeGlyphs}
	if ascii {
		t.glyph = &asciiGlyphs
	}
	on := onRow(plain, c("#d7d7ff", "#444444"))
	make := func(s lipgloss.Style) ink { return newInk(s, on) }
	block := func(col color.Color) lipgloss.Style {
		if plain {
			return none.Bold(true).Reverse(true)
		}
		return none.Bold(true).Foreground(paper).Background(col)
	}
	dim, bar := fg(gray), none.Background(ground)
	if plain {
		dim, bar = none.Faint(true), none.Underline(true)
	}
	t.text, t.bold, t.dim = make(none), make(none.Bold(true)), make(dim)
	t.title, t.key = make(fg(blue).Bold(true)), make(fg(cyan).Bold(true))
	t.spark, t.warn = make(fg(cyan)), make(fg(orange))
	t.brand, t.alarm, t.badge = make(block(blue)), make(block(red)), make(block(cyan))
	t.bar = make(bar)
	t.barTitle = make(bar.Foreground(gray))
	t.barSort = make(bar.Foreground(blue).Bold(true))
	t.class = [numClasses]ink{
		classTimedOut: make(fg(red).Bold(true)), classForgotten: make(fg(magenta).Bold(true)),
		classAborted: make(fg(magenta).Bold(true)), classReset: make(fg(magenta).Bold(true)), classUnreachableEnded: make(fg(red).Bold(true)),
		classSilent: make(fg(orange).Bold(true)), classUnreachable: make(fg(yellow).Bold(true)), classCongested: make(fg(yellow)),
		classSuspended: make(fg(blue)), classAsking: make(fg(cyan)), classAlive: make(fg(green)), classWaiting: make(dim),
	}
	key := fg(cyan).Bold(true)
	t.help = help.Styles{
		Ellipsis: dim, ShortKey: key, ShortDesc: dim, ShortSeparator: dim,
		FullKey: key, FullDesc: none, FullSeparator: dim,
	}
	return t
}
