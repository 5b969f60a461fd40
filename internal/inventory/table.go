// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"katrace/internal/conn"
)

// leastCut is what a column can be cut to on a narrow terminal.
const leastCut = 8

// WriteTable writes the sockets, the first of the list's, in aligned columns. On a terminal (width > 0)
// that is too narrow the gaps go first, then long owners' names; with fit what
// is still too wide is cut off. Its errors come with w.Flush.
func WriteTable(w *bufio.Writer, l *List, sockets []*Socket, width int, fit bool) {
	t := table{end: make([]int, len(columns))}
	widest, show := make([]int, len(columns)), make([]bool, len(columns))
	for i := range columns {
		widest[i], show[i] = len(columns[i].title), columns[i].worth == nil
	}
	for _, s := range sockets {
		t.fill(s)
		for i := range columns {
			widest[i] = max(widest[i], cellWidth(t.cell(i)))
			show[i] = show[i] || columns[i].worth(s, l)
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
		for i := range columns {
			if columns[i].cut && over > 0 {
				widest[i] = max(min(widest[i], leastCut), widest[i]-over)
			}
		}
	}
	var text []byte
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
			for range room {
				text = append(text, ' ')
			}
			text = append(text, cell...)
			room = widest[i] - cellWidth(cell) + gap
		}
		if fit && width > 0 {
			text = append(text[:0], cut(text, width)...)
		}
		_, _ = w.Write(append(text, '\n'))
	}
	t.titles()
	line()
	for _, s := range sockets {
		t.fill(s)
		line()
	}
	if width > 0 {
		if more := len(l.Sockets) - len(sockets); more > 0 {
			_, _ = fmt.Fprintf(w, "… %d more; ", more)
		}
		_, _ = fmt.Fprintf(w, "%s, %s UTC\n", conn.Count(len(l.Sockets), "socket"), l.Time.Format("15:04:05"))
	}
}

// ColumnsHelp explains the columns, for --help: a line or more a column, 80
// characters wide.
func ColumnsHelp() string {
	const indent, width = 14, 80
	var b strings.Builder
	for i := range columns {
		text := strings.ReplaceAll(ansi.Wordwrap(columns[i].help, width-indent, ""), "\n", "\n"+strings.Repeat(" ", indent))
		fmt.Fprintf(&b, "  %-*s%s\n", indent-2, columns[i].title, text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// table is the text of a row, its cells one after the other in one buffer that
// is used again: a machine may have a million sockets.
type table struct {
	text []byte
	end  []int
}

func (t *table) cell(i int) []byte {
	if i == 0 {
		return t.text[:t.end[0]]
	}
	return t.text[t.end[i-1]:t.end[i]]
}

// titles makes it the headline.
func (t *table) titles() {
	t.text = t.text[:0]
	for i := range columns {
		t.text = append(t.text, columns[i].title...)
		t.end[i] = len(t.text)
	}
}

// fill makes it a socket's row.
func (t *table) fill(s *Socket) {
	t.text = t.text[:0]
	for i := range columns {
		t.text = columns[i].draw(t.text, s)
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
