// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// View draws the frame.
func (m *model) View() tea.View {
	lines := m.lines()
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	if m.filtering && len(lines) > 0 {
		if _, x := m.input.view(m.width - 2); x+1 < m.width {
			v.Cursor = tea.NewCursor(x+1, len(lines)-1)
		}
	}
	return v
}

// lines draws the frame: as many lines as the screen has, none too wide.
func (m *model) lines() []string {
	l := m.layout()
	if m.height <= 0 || m.width <= 0 {
		return nil
	}
	var out []string
	for _, draw := range m.headerPlan()[:l.header] {
		out = append(out, draw(m))
	}
	switch m.screen {
	case screenHelp:
		out = append(out, m.page("help", m.helpText(), l.page)...)
	case screenCaveats:
		out = append(out, m.page("caveats", m.caveatsText(), l.page)...)
	default:
		out = append(out, m.tableLines(l)...)
		out = append(out, m.detail.view(m, l.detail)...)
		out = append(out, m.log.render(m, m.width, l.log)...)
	}
	if l.footer > 0 {
		out = append(out, m.footer())
	}
	// What was laid out fits; a terminal narrower than a single word does not.
	for i, s := range out {
		if cells(s) > m.width {
			out[i] = ansi.Truncate(s, m.width, "")
		}
	}
	return out[:min(len(out), m.height)]
}

func (m *model) tableLines(l layout) []string {
	if l.rows+l.titles <= 0 {
		return nil
	}
	if m.grouped() {
		return m.groupLines(l)
	}
	t, order := m.theme, m.snap.order
	from := min(m.table.top, len(order))
	to := min(from+l.rows, len(order))
	m.table.buffer = m.src.rows(m.table.buffer[:0], order[from:to])
	m.table.layout(t, m.width, m.table.buffer)
	out := make([]string, 0, l.rows+l.titles)
	if l.titles > 0 {
		out = append(out, titles(t, m.table.placed, m.width, m.query.Sort, m.query.Reverse))
	}
	now := m.now()
	for i := range m.table.buffer {
		f := &m.table.buffer[i]
		out = append(out, m.table.row(t, f, m.width, now, order[from+i] == m.table.sel))
	}
	if len(order) == 0 && l.rows > 0 {
		out = append(out, t.dim.Render(t.cut("  "+m.emptyText(), m.width)))
	}
	return fill(out, l.rows+l.titles)
}

// emptyText says why the table is empty.
func (m *model) emptyText() string {
	given := sanitize(m.opt.Filter, m.theme.ascii)
	switch {
	case m.query.filter != nil:
		return "no connection matches /" + sanitize(m.query.filter.text, m.theme.ascii) + " (esc clears it)"
	case m.query.Ended:
		return "no connection has ended so far (d shows all)"
	case given != "" && m.snap.Listings > 0:
		return "nothing with keepalive on matches " + given
	case given != "":
		return "nothing matches " + given + " so far"
	case m.snap.Listings > 0:
		return "no socket has keepalive on, as far as katrace can look"
	}
	return "waiting for a keepalive timer to do something: its connection shows then"
}

// footer is the last line: what was typed, said, or can be pressed.
func (m *model) footer() string {
	t := m.theme
	place, style := m.placeText(), t.key
	if m.toast != "" && !m.filtering {
		place, style = t.cut(" "+m.toast+" ", m.width), t.bold
	}
	var left string
	switch {
	case m.filtering:
		text, _ := m.input.view(m.width - 2)
		left = t.key.Render("/") + text + t.dim.Render(t.cut("  "+m.input.hint(), m.width-2-cells(text)))
	default:
		left = m.shortHelp(m.width - cells(place) - 1)
	}
	w := cells(left)
	switch {
	case w+1+cells(place) <= m.width:
		return left + strings.Repeat(" ", m.width-w-cells(place)) + style.Render(place)
	case m.toast != "" && !m.filtering: // no room for a key
		return style.Render(place)
	}
	return ansi.Truncate(left, m.width, "")
}

// shortHelp is as many keys as fit. bubbles/help may take a little more than its
// width, for the sign that there are others.
func (m *model) shortHelp(width int) string {
	h, keys := m.help, m.keys.shortHelp(m.screen, m.detail.open, m.grouped())
	for n := width - 1; n > 0; n-- {
		h.SetWidth(n)
		if s := " " + h.ShortHelpView(keys); cells(s) <= width {
			return s
		}
	}
	return ""
}

// placeText says what of the connections is shown.
func (m *model) placeText() string {
	sep := m.theme.glyph.sep
	var parts []string
	if !m.frozen.IsZero() {
		parts = append(parts, thousands(m.live.events()-m.frozenTotal)+" events since")
	}
	if w := m.query.within; w != nil {
		parts = append(parts, "of "+m.theme.groupName(w.by, &w.id, &w.names))
	}
	if f := m.query.filter; f != nil && !m.filtering {
		parts = append(parts, "/"+sanitize(f.text, m.theme.ascii))
	}
	if m.query.Ended {
		parts = append(parts, "only ended")
	}
	if l := m.layout(); l.titles > 0 && !m.grouped() && !m.table.has(m.query.Sort) {
		parts = append(parts, "by "+strings.ToLower(columnSpecs[m.query.Sort].title))
	}
	n := len(m.snap.order)
	switch {
	case m.grouped() && m.groups.chosen:
		parts = append(parts, fmt.Sprintf("group %s/%s", thousands(m.groups.selAt+1), thousands(len(m.groups.rows))))
	case m.grouped():
		parts = append(parts, count(len(m.groups.rows), "group"))
	case m.table.sel != nil && n > 0:
		parts = append(parts, fmt.Sprintf("row %s/%s", thousands(m.table.selAt+1), thousands(n)))
	case m.query.filter != nil || m.query.Ended:
		parts = append(parts, thousands(n)+" of "+count(m.snap.Kept(), "row"))
	default:
		parts = append(parts, count(n, "row"))
	}
	return " " + strings.Join(parts, sep) + " "
}
