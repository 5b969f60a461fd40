// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"
)

// page draws a page of text from where it was scrolled to.
func (m *model) page(name string, text []string, height int) []string {
	m.pageTop = max(0, min(m.pageTop, len(text)-(height-1)))
	return m.theme.scrolled(name, "", text, m.pageTop, m.width, height)
}

// scrolled draws a title that says how much of a text is below, then as much as
// fits from the line top on.
func (t *theme) scrolled(name, state string, text []string, top, width, height int) []string {
	if height <= 0 {
		return nil
	}
	if hidden := len(text) - (height - 1); hidden > 0 {
		end := "end"
		if below := hidden - top; below > 0 {
			end = count(below, "line") + " below"
		}
		state = strings.TrimPrefix(state+t.glyph.sep+end, t.glyph.sep)
	}
	out := append(make([]string, 0, height), t.ruleTitle(name, state, width))
	return fill(append(out, text[top:min(len(text), top+height-1)]...), height)
}

// fill adds empty lines up to the height.
func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines
}

// helpText explains the keys, the verdicts and the columns.
func (m *model) helpText() []string {
	t := m.theme
	text := append([]string{""}, m.helpKeys()...)
	text = append(text, "")
	for c := range numClasses {
		var l line
		l.add(t.class[c], "  "+t.fit(t.glyph.class[c]+" "+c.String(), 14))
		l.add(t.text, classHelp[c])
		text = append(text, ansi.Truncate(l.String(), m.width, t.glyph.ellipsis))
	}
	text = append(text, "")
	for _, s := range slices.Concat(helpOfColumns(), helpNotes, []string{m.boundsNote()}) {
		text = append(text, t.item(t.key, t.text, s, m.width)...)
	}
	return text
}

// helpKeys lays the keys out in as many columns as fit.
func (m *model) helpKeys() []string {
	groups := m.keys.FullHelp()
	h := m.help
	h.SetWidth(0) // no columns cut off: they go below each other instead
	all := strings.Split(h.FullHelpView(groups), "\n")
	if cells(all[0])+2 > m.width {
		all = nil
		for _, g := range groups {
			all = append(all, strings.Split(h.FullHelpView([][]key.Binding{g}), "\n")...)
		}
	}
	for i := range all {
		all[i] = "  " + all[i]
	}
	return m.theme.clip(all, m.width)
}
