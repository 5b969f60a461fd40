// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"container/heap"
	"slices"
)

// top keeps the longest silences of all it is given.
type top struct {
	most int
	all  int // how many it was given
	list byLength
}

type byLength []Silence

func (b byLength) Len() int           { return len(b) }
func (b byLength) Less(i, j int) bool { return b[i].For < b[j].For }
func (b byLength) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *byLength) Push(x any)        { *b = append(*b, x.(Silence)) }
func (b *byLength) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}

// add takes a silence, which make makes if it is one of the longest.
func (t *top) add(length int64, make func() Silence) {
	t.all++
	switch {
	case len(t.list) < t.most:
		heap.Push(&t.list, make())
	case int64(t.list[0].For) < length:
		t.list[0] = make()
		heap.Fix(&t.list, 0)
	}
}

// longest are those kept, the longest first.
func (t *top) longest() []Silence {
	list := append([]Silence{}, t.list...)
	slices.SortStableFunc(list, func(a, b Silence) int {
		if a.For != b.For {
			return int(max(-1, min(1, b.For-a.For)))
		}
		return a.Since.Compare(b.Since.Time)
	})
	return list
}
