// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"cmp"
	"slices"

	"katrace/internal/group"
)

// groupTable is the pane of the groups, in the place of the connections' table.
type groupTable struct {
	by      grouping // ungrouped: the connections are shown
	sort    groupColumn
	reverse bool
	rows    []groupLine
	top     int
	sel     group.ID // the selected group; meaningful where selected
	selAt   int
	chosen  bool
	placed  []placed[groupColumn]
}

// groupLine is a group with its name.
type groupLine struct {
	*groupRow
	name string
}

// take takes over new groups, in their order.
func (g *groupTable) take(t *theme, rows []*groupRow) {
	clear(g.rows)
	g.rows = g.rows[:0]
	for _, r := range rows {
		g.rows = append(g.rows, groupLine{r, t.groupName(g.by, &r.id, &r.names)})
	}
	less := groupSpecs[g.sort].less
	slices.SortFunc(g.rows, func(a, b groupLine) int {
		c := less(t, a.groupRow, b.groupRow)
		if g.reverse {
			c = -c
		}
		if c != 0 {
			return c
		}
		c = a.id.Compare(&b.id)
		if g.reverse && g.sort == groupName {
			return -c
		}
		return c
	})
	if !g.chosen {
		return
	}
	if at := slices.IndexFunc(g.rows, func(r groupLine) bool { return r.id == g.sel }); at >= 0 {
		g.selAt = at
	} else {
		g.pick(g.selAt)
	}
}

// pick selects by index; one out of range is the nearest.
func (g *groupTable) pick(i int) {
	if g.chosen = len(g.rows) > 0; !g.chosen {
		g.selAt = 0
		return
	}
	g.selAt = min(max(i, 0), len(g.rows)-1)
	g.sel = g.rows[g.selAt].id
}

// scroll moves the window so that the selected row is in it.
func (g *groupTable) scroll(height int) {
	if g.chosen {
		g.top = max(min(g.top, g.selAt), g.selAt-height+1)
	}
	g.top = max(0, min(g.top, len(g.rows)-height))
}

// move moves the selection; without one, the first row on the screen is selected.
func (g *groupTable) move(by int) {
	switch {
	case g.chosen:
		g.pick(g.selAt + by)
	case by == 1<<30 || by == -1<<30:
		g.pick(by)
	default:
		g.pick(g.top)
	}
}

// layout places the columns for the rows on the screen: taken in by rank, then
// grown, the name first.
func (g *groupTable) layout(width int, rows []groupLine) {
	longest := len(groupingWords[g.by]) + 2
	for _, r := range rows {
		longest = max(longest, cells(r.name))
	}
	var w [numGroupColumns]int
	left := width
	for rank := 1; rank <= int(numGroupColumns); rank++ {
		col := groupColumn(slices.IndexFunc(groupSpecs[:], func(s groupSpec) bool { return s.rank == rank }))
		need := groupSpecs[col].least
		if rank == 1 {
			need = min(need, left-1)
		}
		if need+1 > left || need <= 0 {
			break // what is less important does not overtake
		}
		w[col] = need
		left -= need + 1
	}
	for _, col := range [...]groupColumn{groupName, groupFigures, groupBar, groupCount, groupDeath} {
		most := groupSpecs[col].most
		if col == groupName {
			most = min(most, longest)
		}
		if more := min(most-w[col], left); w[col] > 0 && more > 0 {
			w[col] += more
			left -= more
		}
	}
	g.placed = g.placed[:0]
	x := 1
	for col := range numGroupColumns {
		if w[col] > 0 {
			spec := &groupSpecs[col]
			g.placed = append(g.placed, placed[groupColumn]{col, x, w[col], cmp.Or(spec.title, groupingWords[g.by]), spec.right})
			x += w[col] + 1
		}
	}
}

// row draws one group.
func (g *groupTable) row(t *theme, r *groupLine, width int, now nanos, selected bool) string {
	var l line
	c := groupCell{line: &l, theme: t, g: r.groupRow, name: r.name, now: now, selected: selected, text: t.text.on(selected), dim: t.dim.on(selected)}
	if r.unwell() == 0 {
		c.text = c.dim
	}
	if selected {
		l.add(t.class[r.worst()].on(true), t.glyph.cursor)
	} else {
		l.add(c.text, " ")
	}
	for _, p := range g.placed {
		l.pad(c.text, p.x)
		c.w = p.w
		groupSpecs[p.col].draw(&c)
	}
	l.pad(c.text, width)
	return l.String()
}
