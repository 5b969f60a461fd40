// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// ink is a lipgloss style made ready: the sequences that open it, in the
// variants that a row needs. A frame has hundreds of cells, and rendering each
// through lipgloss took most of a frame's time.
type ink struct {
	open              string // what Render uses
	normal, bold      string
	selected, selBold string
	isSelected        bool
}

// newInk makes the variants of a style; on tells how it looks on the selected row.
func newInk(s lipgloss.Style, on func(lipgloss.Style) lipgloss.Style) ink {
	k := ink{normal: opening(s), bold: opening(s.Bold(true)), selected: opening(on(s)), selBold: opening(on(s).Bold(true))}
	k.open = k.normal
	return k
}

// opening is the sequence that a style puts before its text.
func opening(s lipgloss.Style) string {
	before, _, _ := strings.Cut(s.Inline(true).Render("x"), "x")
	return before
}

// Render draws a text.
func (k ink) Render(text string) string {
	if k.open == "" || text == "" {
		return text
	}
	return k.open + text + ansi.ResetStyle
}

// Bold is the ink in bold.
func (k ink) Bold() ink {
	k.open = k.bold
	if k.isSelected {
		k.open = k.selBold
	}
	return k
}

// on is the ink as it is on the selected row, or as it is.
func (k ink) on(selected bool) ink {
	if selected {
		k.isSelected = true
		if k.open == k.bold {
			k.open = k.selBold
		} else {
			k.open = k.selected
		}
	}
	return k
}

// cells is how many cells a text takes.
func cells(s string) int {
	if plain(s) {
		return len(s)
	}
	return ansi.StringWidth(s)
}

// onRow returns how a style looks on the selected row.
func onRow(reversed bool, ground color.Color) func(lipgloss.Style) lipgloss.Style {
	return func(s lipgloss.Style) lipgloss.Style {
		if reversed {
			return s.Reverse(true).Faint(false)
		}
		return s.Background(ground)
	}
}
