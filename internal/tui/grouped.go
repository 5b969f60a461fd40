// SPDX-License-Identifier: BSD-2-Clause

package tui

// grouped says that the table shows groups, not connections.
func (m *model) grouped() bool { return m.groups.by != ungrouped && m.query.within == nil }

// nextGrouping groups by the next thing; after the last the connections are shown.
func (m *model) nextGrouping() {
	m.groupBy((m.groups.by + 1) % numGroupings)
}

func (m *model) groupBy(by grouping) {
	m.groups.by, m.query.within = by, nil
	m.groups.chosen, m.groups.top, m.groups.selAt = false, 0, 0
	m.detail.open, m.table.sel, m.table.top = false, nil, 0
	m.screen = screenTable
	m.refresh()
}

// enterGroup shows the connections of the selected group.
func (m *model) enterGroup() {
	if !m.groups.chosen {
		m.groups.pick(m.groups.top)
	}
	if m.groups.chosen {
		m.query.within = &within{m.groups.by, m.groups.sel, m.groups.rows[m.groups.selAt].names}
		m.table.sel, m.table.top = nil, 0
		m.refresh()
	}
}

// leaveGroup goes back from a group's connections to the groups.
func (m *model) leaveGroup() {
	m.query.within = nil
	m.table.sel, m.table.top = nil, 0
	m.refresh()
}

// sortGroups orders the groups.
func (m *model) sortGroups(col groupColumn, reverse bool) {
	m.groups.sort, m.groups.reverse = col, reverse
	m.refresh()
}

// groupColumnBeside is the next column on the screen, step by step from the one that
// the groups are sorted by.
func (m *model) groupColumnBeside(step groupColumn) groupColumn {
	col := m.groups.sort
	for range numGroupColumns {
		col = (col + step) % numGroupColumns
		for _, p := range m.groups.placed {
			if p.col == col {
				return col
			}
		}
	}
	return col
}

// groupLines draws the table of the groups.
func (m *model) groupLines(l layout) []string {
	t, g := m.theme, &m.groups
	from := min(g.top, len(g.rows))
	rows := g.rows[from:min(from+l.rows, len(g.rows))]
	g.layout(m.width, rows)
	out := make([]string, 0, l.rows+l.titles)
	if l.titles > 0 {
		out = append(out, titles(t, g.placed, m.width, g.sort, g.reverse))
	}
	for i := range rows {
		out = append(out, g.row(t, &rows[i], m.width, m.now(), g.chosen && from+i == g.selAt))
	}
	if len(rows) == 0 && l.rows > 0 {
		out = append(out, t.dim.Render(t.cut("  "+m.emptyText(), m.width)))
	}
	return fill(out, l.rows+l.titles)
}
