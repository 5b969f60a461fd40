// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"slices"
)

// Orders lists what sockets can be sorted by: the names of columns.
func Orders() (names []string) {
	for i := range columns {
		if columns[i].compare != nil {
			names = append(names, columns[i].name)
		}
	}
	return names
}

// Sort orders the sockets by one of Orders, those that are the same in that by
// network namespace and addresses.
func Sort(sockets []Socket, by string) []*Socket {
	order := columns[slices.IndexFunc(columns, func(c column) bool { return c.name == by })].compare
	sorted := make([]*Socket, len(sockets))
	for i := range sockets {
		sorted[i] = &sockets[i]
	}
	slices.SortFunc(sorted, func(a, b *Socket) int {
		if c := order(a, b); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Netns, b.Netns); c != 0 {
			return c
		}
		if c := a.Local.Compare(b.Local); c != 0 {
			return c
		}
		return a.Remote.Compare(b.Remote)
	})
	return sorted
}
