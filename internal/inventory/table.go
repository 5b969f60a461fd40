// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"fmt"

	"charm.land/lipgloss/v2"
)

// leastCut is what a column can be cut to on a narrow terminal.
const leastCut = 8

// WriteTable writes the first rows in aligned columns, and counts the others. On
// a terminal (width > 0) that is too narrow the gaps go first, then long cells
// from the right;
// with fit what is still too wide is cut off. Its errors come with w.Flush.
func (r *Rows[R]) WriteTable(w *bufio.Writer, first, width int, fit bool) {
	columns, rows := r.columns, r.rows[:first]
	t := table[R]{columns: columns, end: make([]int, len(columns))}
	widest, show := make([]int, len(columns)), make([]bool, len(columns))
	for i := range columns {
		widest[i], show[i] = len(columns[i].title), columns[i].worth == nil
	}
	for _, row := range rows {
		t.fill(row)
		for i := range columns {
			widest[i] = max(widest[i], cellWidth(t.cell(i)))
			show[i] = show[i] || columns[i].worth(row, r.list)
		}
	}
	total, shown := 0, 0
	for i := range columns {
		if show[i] {
			total += widest[i] + 2
			shown++
		}
	}
	gap := 2
	if width > 0 && total-2 > width {
		gap = 1
		over := total - (shown - 1) - 2 - width
		for i := len(columns) - 1; i >= 0; i-- {
			if least := max(leastCut, len(columns[i].title)); show[i] && columns[i].cut && over > 0 && widest[i] > least {
				was := widest[i]
				widest[i] = max(least, was-over)
				over -= was - widest[i]
			}
		}
	}
	var text []byte
	spaces := func(n int) {
		for range n {
			text = append(text, ' ')
		}
	}
	line := func() {
		text = text[:0]
		room := 0 // to the next cell
		for i := range columns {
			if !show[i] {
				continue
			}
			cell := t.cell(i)
			if columns[i].cut {
				cell = cut(cell, widest[i])
			}
			rest := widest[i] - cellWidth(cell)
			if columns[i].right {
				room, rest = room+rest, 0
			}
			spaces(room)
			text = append(text, cell...)
			room = rest + gap
		}
		if fit && width > 0 {
			text = append(text[:0], cut(text, width)...)
		}
		_, _ = w.Write(append(text, '\n'))
	}
	t.titles()
	line()
	for _, row := range rows {
		t.fill(row)
		line()
	}
	if width > 0 {
		if more := len(r.rows) - len(rows); more > 0 {
			_, _ = fmt.Fprintf(w, "… %d more; ", more)
		}
		_, _ = fmt.Fprintf(w, "%s, %s UTC\n", r.count, r.list.Time.Format("15:04:05"))
	}
}

// table is the text of a row, its cells one after the other in one buffer that
// is used again: a machine may have a million sockets.
type table[R any] struct {
	columns []column[R]
	text    []byte
	end     []int
}

func (t *table[R]) cell(i int) []byte {
	if i == 0 {
		return t.text[:t.end[0]]
	}
	return t.text[t.end[i-1]:t.end[i]]
}

// titles makes it the headline.
func (t *table[R]) titles() {
	t.text = t.text[:0]
	for i := range t.columns {
		t.text = append(t.text, t.columns[i].title...)
		t.end[i] = len(t.text)
	}
}

// fill makes it a row.
func (t *table[R]) fill(row *R) {
	t.text = t.text[:0]
	for i := range t.columns {
		t.text = t.columns[i].draw(t.text, row)
		t.end[i] = len(t.text)
	}
}

// cellWidth is how many columns of a terminal the text takes.
func cellWidth(s []byte) int {
	for _, c := range s {
		if c >= 0x80 {
			return lipgloss.Width(string(s))
		}
	}
	return len(s)
}

// cut shortens a cell to that width.
func cut(s []byte, width int) []byte {
	if cellWidth(s) <= width {
		return s
	}
	runes := []rune(string(s))
	for len(runes) > 0 && cellWidth([]byte(string(runes)))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return []byte(string(runes) + "~")
}
