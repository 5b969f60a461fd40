// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// column is a column of a table whose rows are sockets, or groups of them.
type column[R any] struct {
	name  string // of --sort, where the column has an order
	title string
	help  string // what it shows, a clause for --help
	key   string // of the JSON that holds it: "keepalive.idle_ms"
	draw  func(dst []byte, r *R) []byte
	// compare orders by it; nil: it is no order. What is not known comes last.
	compare func(a, b *R) int
	// worth says that the row makes the column worth its room; nil: it is always there.
	worth func(r *R, l *List) bool
	// cut says that the column is cut where the terminal is too narrow.
	cut bool
	// right says that it is a number, whose digits are aligned.
	right bool
}

// ordersOf lists what rows can be sorted by: the names of columns.
func ordersOf[R any](columns []column[R]) (names []string) {
	for i := range columns {
		if columns[i].compare != nil {
			names = append(names, columns[i].name)
		}
	}
	return names
}

// sortRows orders rows by the column of that name, and by last where they are the
// same in that; by last alone where no column has the name.
func sortRows[R any](rows []*R, columns []column[R], by string, last func(a, b *R) int) {
	order := last
	if i := slices.IndexFunc(columns, func(c column[R]) bool { return by != "" && c.name == by }); i >= 0 {
		order = columns[i].compare
	}
	slices.SortFunc(rows, func(a, b *R) int {
		if c := order(a, b); c != 0 {
			return c
		}
		return last(a, b)
	})
}

// helpOf explains the columns, for --help: a line or more a column, 80
// characters wide.
func helpOf[R any](columns []column[R]) string {
	const indent, width = 14, 80
	var b strings.Builder
	for i := range columns {
		text := strings.ReplaceAll(ansi.Wordwrap(columns[i].help, width-indent, ""), "\n", "\n"+strings.Repeat(" ", indent))
		fmt.Fprintf(&b, "  %-*s%s\n", indent-2, columns[i].title, text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// byTime orders by a time or a count, what has none last.
func byTime[R any](of func(*R) (time.Duration, bool)) func(a, b *R) int {
	return func(a, b *R) int {
		ta, hasA := of(a)
		tb, hasB := of(b)
		if c := absentLast(hasA, hasB); c != 0 || !hasA {
			return c
		}
		return cmp.Compare(ta, tb)
	}
}

func absentLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
