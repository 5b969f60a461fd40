// SPDX-License-Identifier: BSD-2-Clause

package tui

import "slices"

// portWidth is what a local port alone needs, with its colon.
const portWidth = 6

// remoteLeast is what the remote address keeps where the giving up needs room.
const remoteLeast = 15

// placed is a column on the screen, of the connections or of the groups.
type placed[C comparable] struct {
	col   C
	x, w  int
	title string
	right bool
}

// titles draws the line of the columns' names, with the order marked.
func titles[C comparable](th *theme, columns []placed[C], width int, sort C, reverse bool) string {
	var l line
	l.add(th.barTitle, " ")
	for _, p := range columns {
		l.pad(th.barTitle, p.x)
		title, style := p.title, th.barTitle
		if p.col == sort && p.w > 1 {
			mark := th.glyph.down
			if reverse {
				mark = th.glyph.up
			}
			if th.ascii && len(title)+2 <= p.w {
				mark = " " + mark
			}
			title, style = title+mark, th.barSort
		}
		if p.right {
			title = th.fitRight(title, p.w)
		} else {
			title = th.fit(title, p.w)
		}
		l.add(style, title)
	}
	l.pad(th.barTitle, width)
	return l.String()
}

// hit tells the column at cell x, for a click on the titles.
func hit[C comparable](columns []placed[C], x int) (col C, ok bool) {
	for i, p := range columns {
		if x >= p.x && (i+1 == len(columns) || x < columns[i+1].x) {
			return p.col, true
		}
	}
	return col, false
}

// place lays out the columns on width cells: taken in by priority, grown to
// what they want, in the fixed order of the table. Where not even the verdict
// fits as a word, its sign alone stands before the remote address. twins says that
// rows are told apart by their local end alone: of it at least the port stays.
func place(width int, wants [numColumns]int, twins bool) []placed[Column] {
	const cursor = 1
	gap := 1
	if width >= 150 {
		gap = 2
	}
	var w [numColumns]int
	left := width - cursor
	for i, col := range ranked(twins) {
		spec := &columnSpecs[col]
		if spec.optional && wants[col] == 0 {
			continue
		}
		least, need := spec.least, spec.decent
		if twins && col == ColLocal {
			least, need = portWidth, portWidth
		}
		if col == ColRemote { // an IPv4 address is never cut, if that can be helped
			need = min(max(need, wants[col]), 21)
		}
		if i > 0 {
			left -= gap
		}
		if need > left {
			need = max(least, min(need, left))
		}
		if col == ColVerdict && width < 32 {
			need = 1
		}
		if spare := w[ColRemote] - remoteLeast; need > left && (col == ColDeath || twins && col == ColLocal) && spare > 0 {
			// How long it has left, and which it is, matter more than the whole address.
			take := min(spare, need-left)
			w[ColRemote] -= take
			left += take
		}
		if need > left {
			left += gap
			break // what is less important does not overtake
		}
		w[col] = need
		left -= need
	}
	for _, col := range byHunger {
		spec := &columnSpecs[col]
		want := spec.most
		if spec.want != nil {
			want = min(want, wants[col])
		}
		if w[col] > 0 && want > w[col] && left > 0 {
			more := min(want-w[col], left)
			w[col] += more
			left -= more
		}
	}
	var out []placed[Column]
	x := cursor
	for col := range numColumns {
		if w[col] == 0 {
			continue
		}
		title := columnSpecs[col].title
		if len(title)+1 > w[col] {
			title = columnSpecs[col].brief
		}
		out = append(out, placed[Column]{col, x, w[col], title, columnSpecs[col].right})
		x += w[col] + gap
	}
	if len(out) == 0 && width > 0 {
		out = append(out, placed[Column]{ColVerdict, 0, 1, "", false})
	}
	return out
}

// ranked lists the columns, those that a narrow terminal keeps first. Where rows
// have one remote address, the local port tells them apart.
func ranked(twins bool) []Column {
	if !twins {
		return byRank
	}
	cols := slices.DeleteFunc(slices.Clone(byRank), func(c Column) bool { return c == ColLocal })
	return slices.Insert(cols, slices.Index(cols, ColRemote)+1, ColLocal)
}
