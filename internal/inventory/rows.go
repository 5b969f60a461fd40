// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"

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

// Orders lists what sockets can be sorted by.
func Orders() []string { return ordersOf(columns) }

// ColumnsHelp explains the columns of a socket's row.
func ColumnsHelp() string { return helpOf(columns) }

// Rows orders the sockets by one of Orders, those that are the same in that by
// network namespace and addresses.
func (l *List) Rows(by string) *Rows[Socket] {
	r := &Rows[Socket]{
		list: l, rows: make([]*Socket, len(l.Sockets)), columns: columns, count: conn.Count(len(l.Sockets), "socket"),
		json: func(dst []byte, s *Socket) []byte { return s.AppendJSON(dst, l.Time) },
	}
	for i := range l.Sockets {
		r.rows[i] = &l.Sockets[i]
	}
	sortRows(r.rows, r.columns, by, func(a, b *Socket) int {
		if c := cmp.Compare(a.Netns, b.Netns); c != 0 {
			return c
		}
		if c := a.Local.Compare(b.Local); c != 0 {
			return c
		}
		return a.Remote.Compare(b.Remote)
	})
	return r
}
