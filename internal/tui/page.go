// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// page draws a page of text: a title that says how much is below, then as much
// as fits from where it was scrolled to.
func (m *model) page(name string, text []string, height int) []string {
	if height <= 0 {
		return nil
	}
	hidden := max(0, len(text)-(height-1))
	m.pageTop = max(0, min(m.pageTop, hidden))
	state := ""
	switch below := hidden - m.pageTop; {
	case below > 0:
		state = "more below: " + count(below, "line")
	case hidden > 0:
		state = "end"
	}
	out := append(make([]string, 0, height), m.theme.ruleTitle(name, state, m.width))
	out = append(out, text[m.pageTop:min(len(text), m.pageTop+height-1)]...)
	for len(out) < height {
		out = append(out, "")
	}
	return out
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
			all = append(all, strings.Split(h.FullHelpView([][]keyBinding{g}), "\n")...)
		}
	}
	for i := range all {
		all[i] = "  " + all[i]
	}
	return m.theme.clip(all, m.width)
}
