// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"

	"katrace/internal/conn"
)

// Rows are what is shown of a list, in order: its sockets, or groups of them.
type Rows[R any] struct {
	list    *List
	rows    []*R
	columns []column[R]
	json    func(dst []byte, r *R) []byte
	count   string // "63 sockets"
}

// Len is how many there are.
func (r *Rows[R]) Len() int { return len(r.rows) }

// AppendJSON appends a row as one object, without a newline.
func (r *Rows[R]) AppendJSON(dst []byte, i int) []byte { return r.json(dst, r.rows[i]) }

// WriteJSON writes the first rows, a line each. Its errors come with w.Flush.
func (r *Rows[R]) WriteJSON(w *bufio.Writer, first int) {
	_ = writeRows(w, first, func(dst []byte, from, to int) []byte {
		for i := from; i < to; i++ {
			dst = append(r.AppendJSON(dst, i), '\n')
		}
		return dst
	})
}

// Orders lists what sockets can be sorted by.
func Orders() []string { return ordersOf(columns) }

// ColumnsHelp explains the columns of a socket's row.
func ColumnsHelp() string { return helpOf(columns) }

// Rows orders the sockets by one of Orders, those that are the same in that by
// network namespace and addresses.
func (l *List) Rows(by string) *Rows[Socket] {
	head := appendHead(nil, l.Time)
	r := &Rows[Socket]{
		list: l, rows: sorted(l.Sockets), columns: columns, count: conn.Count(len(l.Sockets), "socket"),
		json: func(dst []byte, s *Socket) []byte { return s.appendRest(append(dst, head...)) },
	}
	if by != "" && by != "local" {
		sortRows(r.rows, r.columns, by, byAddresses)
	}
	return r
}
