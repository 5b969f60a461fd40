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
	ascii     bool
	glyph     *glyphs
	netnsName func(uint32) string // Options.NetnsName

	text, dim, bold, title, key ink
	spark, warn                 ink
	bar, barTitle, barSort      ink // the header's and the titles' ground
	brand, alarm, badge         ink
	class                       [numClasses]ink
	help                        help.Styles
}

// look is what of the terminal decides how the theme looks.
type look struct {
	dark  bool // its ground
	ascii bool // no characters beyond ASCII
	plain bool // no colours: decoration alone tells what stands out
	few   bool // 16 colours, as on the Linux console
}

// palette are the colours of a look.
type palette struct {
	red, orange, yellow, magenta, blue, cyan, green, gray color.Color
	ground, chosen                                        color.Color // of the bars, of the selected row; nil: reversed
	paper                                                 color.Color // on a block of red, blue or cyan
}

// palette picks the colours. Of 16 there is no blue on black, which cannot be
// read on a console, and no grey ground, which not every console has.
func (l look) palette() palette {
	c := lipgloss.Color
	switch {
	case l.plain:
		no := lipgloss.NoColor{}
		return palette{red: no, orange: no, yellow: no, magenta: no, blue: no, cyan: no, green: no, gray: no, paper: no}
	case l.few && l.dark:
		return palette{red: c("9"), orange: c("3"), yellow: c("11"), magenta: c("13"), blue: c("14"), cyan: c("14"), green: c("10"), gray: c("7"), paper: c("0")}
	case l.few:
		return palette{red: c("1"), orange: c("1"), yellow: c("5"), magenta: c("5"), blue: c("4"), cyan: c("4"), green: c("2"), gray: c("0"), paper: c("15")}
	case l.dark:
		return palette{red: c("#ff5f6d"), orange: c("#ff9e4a"), yellow: c("#f2cf5b"), magenta: c("#d68cff"), blue: c("#7aa7ff"), cyan: c("#5fd7e0"),
			green: c("#5fd38a"), gray: c("#8b92a5"), ground: c("#303030"), chosen: c("#444444"), paper: c("#10131a")}
	}
	return palette{red: c("#c4001d"), orange: c("#b54708"), yellow: c("#8a6100"), magenta: c("#8b1fa9"), blue: c("#1d4fd8"), cyan: c("#00708a"),
		green: c("#1a7f37"), gray: c("#5f6672"), ground: c("#e4e4e4"), chosen: c("#d7d7ff"), paper: c("#ffffff")}
}

// newTheme makes the theme for a terminal.
func newTheme(l look) *theme {
	fg := func(col color.Color) lipgloss.Style { return lipgloss.NewStyle().Foreground(col) }
	none := lipgloss.NewStyle()
	p := l.palette()

	t := &theme{ascii: l.ascii, glyph: &unicodeGlyphs}
	if l.ascii {
		t.glyph = &asciiGlyphs
	}
	on := onRow(p.chosen == nil, p.chosen)
	make := func(s lipgloss.Style) ink { return newInk(s, on) }
	block := func(col color.Color) lipgloss.Style {
		if l.plain {
			return none.Bold(true).Reverse(true)
		}
		return none.Bold(!l.few).Foreground(p.paper).Background(col) // a console makes bold black grey
	}
	dim, bar := fg(p.gray), none.Background(p.ground)
	barTitle, barSort := bar.Foreground(p.gray), bar.Foreground(p.blue).Bold(true)
	switch {
	case l.plain:
		dim, bar = none.Faint(true), none.Underline(true)
		barTitle, barSort = bar, bar.Bold(true)
	case p.ground == nil:
		bar = none.Reverse(true)
		barTitle, barSort = bar, bar.Bold(true)
	}
	t.text, t.bold, t.dim = make(none), make(none.Bold(true)), make(dim)
	t.title, t.key = make(fg(p.blue).Bold(true)), make(fg(p.cyan).Bold(true))
	t.spark, t.warn = make(fg(p.cyan)), make(fg(p.orange))
	t.brand, t.alarm, t.badge = make(block(p.blue)), make(block(p.red)), make(block(p.cyan))
	t.bar, t.barTitle, t.barSort = make(bar), make(barTitle), make(barSort)
	t.class = [numClasses]ink{
		classTimedOut: make(fg(p.red).Bold(true)), classForgotten: make(fg(p.magenta).Bold(true)),
		classAborted: make(fg(p.magenta).Bold(true)), classReset: make(fg(p.magenta).Bold(true)), classUnreachableEnded: make(fg(p.red).Bold(true)),
		classSilent: make(fg(p.orange).Bold(true)), classUnreachable: make(fg(p.yellow).Bold(true)), classCongested: make(fg(p.yellow)),
		classSuspended: make(fg(p.blue)), classAsking: make(fg(p.cyan)), classAlive: make(fg(p.green)), classWaiting: make(dim),
	}
	key := fg(p.cyan).Bold(true)
	t.help = help.Styles{
		Ellipsis: dim, ShortKey: key, ShortDesc: dim, ShortSeparator: dim,
		FullKey: key, FullDesc: none, FullSeparator: dim,
	}
	return t
}
