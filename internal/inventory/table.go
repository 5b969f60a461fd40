// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"fmt"
	"sync"

	"charm.land/lipgloss/v2"
)

// leastCut is what a column can be cut to on a narrow terminal.
const leastCut = 8

// WriteTable writes the first rows in aligned columns, and counts the others. On
// a terminal (width > 0) that is too narrow the gaps go first, then long cells
// from the right;
// with fit what is still too wide is cut off. Its errors come with w.Flush.
func (r *Rows[R]) WriteTable(w *bufio.Writer, first, width int, fit bool) {
	t := table[R]{columns: r.columns, rows: r.rows[:first], gap: 2}
	if fit {
		t.limit = width
	}
	t.measure(r.list)
	t.narrow(width)
	_, _ = w.Write(t.appendLine(nil, nil))
	_ = writeRows(w, first, t.appendRows)
	if width > 0 {
		if more := len(r.rows) - first; more > 0 {
			_, _ = fmt.Fprintf(w, "… %d more; ", more)
		}
		_, _ = fmt.Fprintf(w, "%s, %s UTC\n", r.count, r.list.Time.Format("15:04:05"))
	}
}

// table is rows, and how they are drawn. Their text is not kept, since a machine may
// have a million sockets: they are drawn to measure them, and once more to be written.
type table[R any] struct {
	columns []column[R]
	rows    []*R
	widest  []int  // of each column's cells
	show    []bool // the columns that are shown
	gap     int    // between two columns
	limit   int    // of a line's width; 0: none
}

// measure sets which columns are shown, and how wide they are.
func (t *table[R]) measure(l *List) {
	t.widest, t.show = make([]int, len(t.columns)), make([]bool, len(t.columns))
	for i := range t.columns {
		t.widest[i], t.show[i] = len(t.columns[i].title), t.columns[i].worth == nil
	}
	var mu sync.Mutex
	spread(len(t.rows), func(from, to int) {
		var cell []byte
		widest, show := make([]int, len(t.columns)), make([]bool, len(t.columns))
		for _, row := range t.rows[from:to] {
			for i := range t.columns {
				c := &t.columns[i]
				cell = c.draw(cell[:0], row)
				widest[i] = max(widest[i], cellWidth(cell))
				show[i] = show[i] || c.worth != nil && c.worth(row, l)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range t.columns {
			t.widest[i], t.show[i] = max(t.widest[i], widest[i]), t.show[i] || show[i]
		}
	})
}

// narrow makes the columns fit into that width, if it is not 0.
func (t *table[R]) narrow(width int) {
	total, shown := 0, 0
	for i := range t.columns {
		if t.show[i] {
			total += t.widest[i] + 2
			shown++
		}
	}
	if width == 0 || total-2 <= width {
		return
	}
	t.gap = 1
	over := total - (shown - 1) - 2 - width
	for i := len(t.columns) - 1; i >= 0; i-- {
		if least := max(leastCut, len(t.columns[i].title)); t.show[i] && t.columns[i].cut && over > 0 && t.widest[i] > least {
			was := t.widest[i]
			t.widest[i] = max(least, was-over)
			over -= was - t.widest[i]
		}
	}
}

func (t *table[R]) appendRows(dst []byte, from, to int) []byte {
	for _, row := range t.rows[from:to] {
		dst = t.appendLine(dst, row)
	}
	return dst
}

// appendLine appends a row's line; nil is the titles.
func (t *table[R]) appendLine(dst []byte, row *R) []byte {
	line := len(dst)
	room := 0 // to the next cell
	for i := range t.columns {
		c := &t.columns[i]
		if !t.show[i] {
			continue
		}
		dst = appendSpaces(dst, room)
		at := len(dst)
		if row == nil {
			dst = append(dst, c.title...)
		} else {
			dst = c.draw(dst, row)
		}
		wide := cellWidth(dst[at:])
		if c.cut && wide > t.widest[i] {
			dst = append(dst[:at], cut(dst[at:], t.widest[i])...)
			wide = cellWidth(dst[at:])
		}
		rest := t.widest[i] - wide
		if room = t.gap; !c.right {
			room += rest
			continue
		}
		dst = appendSpaces(dst, rest)
		copy(dst[at+rest:], dst[at:])
		appendSpaces(dst[:at], rest)
	}
	if t.limit > 0 {
		dst = append(dst[:line], cut(dst[line:], t.limit)...)
	}
	return append(dst, '\n')
}

func appendSpaces(dst []byte, n int) []byte {
	const spaces = "                                "
	for ; n > len(spaces); n -= len(spaces) {
		dst = append(dst, spaces...)
	}
	return append(dst, spaces[:n]...)
}

// cellWidth is how many columns of a terminal the text takes.
func cellWidth(s []byte) int {
	if isASCII(s) {
		return len(s)
	}
	return lipgloss.Width(string(s))
}

func isASCII(s []byte) bool {
	for _, c := range s {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// cut shortens a cell to that width, which is not 0; one of ASCII in place.
func cut(s []byte, width int) []byte {
	if cellWidth(s) <= width {
		return s
	}
	if isASCII(s) {
		return append(s[:width-1], '~')
	}
	runes := []rune(string(s))
	for len(runes) > 0 && cellWidth([]byte(string(runes)))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return []byte(string(runes) + "~")
}
