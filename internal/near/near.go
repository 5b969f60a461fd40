// SPDX-License-Identifier: BSD-2-Clause

// Package near is a hash table in which neighbours lie side by side: where numbers
// that are close together are asked for one after the other, as those of sockets that
// were made one after the other are, most of them are in the processor's cache by
// then. A map spreads them over all of its memory, and each look-up waits for that.
package near

import (
	"iter"
	"math/bits"
)

// Table holds values by numbers below 2^64-1. It is not safe for concurrent use, but
// that several may read it at once. Its zero value is empty and ready.
type Table[V any] struct {
	// Unit is how many of a number's lowest bits say nothing: neighbours differ by
	// about 2^Unit. It is set before the first number is.
	Unit  uint
	slots []slot[V]
	shift uint // a hash's bits that choose no block
	n     int
}

type slot[V any] struct {
	key   uint64 // the number plus one; 0: free
	value V
}

const (
	block = 8 // neighbours that lie side by side
	least = 8 * block
)

// Len is how many values there are.
func (t *Table[V]) Len() int { return t.n }

// home is the slot that the number has if it is free, otherwise the next free one: of
// a block by a hash of the neighbours' number, and of their own order.
func (t *Table[V]) home(key uint64) int {
	key >>= t.Unit
	hash := key / block * 0x9e3779b97f4a7c15
	return int(hash>>t.shift)*block + int((key^hash>>32)%block)
}

func (t *Table[V]) after(at int) int { return (at + 1) & (len(t.slots) - 1) }

// find is the number's slot, or the free one where it belongs.
func (t *Table[V]) find(key uint64) int {
	at := t.home(key)
	for t.slots[at].key != key+1 && t.slots[at].key != 0 {
		at = t.after(at)
	}
	return at
}

// Get is the number's value; the zero value where there is none.
func (t *Table[V]) Get(key uint64) (value V, ok bool) {
	if t.n == 0 {
		return value, false
	}
	s := &t.slots[t.find(key)]
	return s.value, s.key != 0
}

// Some is one of the numbers, if there are any: for each from another one, as far as
// there are so many.
func (t *Table[V]) Some(from uint64) (key uint64, ok bool) {
	if t.n == 0 {
		return 0, false
	}
	at := t.home(from)
	for t.slots[at].key == 0 {
		at = t.after(at)
	}
	return t.slots[at].key - 1, true
}

// Put sets the number's value.
func (t *Table[V]) Put(key uint64, value V) {
	if bigger, grown := t.Grown(1); grown {
		*t = bigger
	}
	s := &t.slots[t.find(key)]
	if s.key == 0 {
		s.key = key + 1
		t.n++
	}
	s.value = value
}

// Grown is a table with the same values and room for so many more; false where the
// table has the room. The table itself stays as it is.
func (t *Table[V]) Grown(more int) (Table[V], bool) {
	size := max(least, len(t.slots))
	for (t.n+more)*4 > size*3 {
		size *= 2
	}
	if size == len(t.slots) {
		return Table[V]{}, false
	}
	return t.sized(size), true
}

// Shrunk is a table with the same values and less room; false where the table is not
// nearly empty. The table itself stays as it is.
func (t *Table[V]) Shrunk() (Table[V], bool) {
	size := len(t.slots)
	for size > least && t.n*8 < size {
		size /= 2
	}
	if size == len(t.slots) {
		return Table[V]{}, false
	}
	return t.sized(size), true
}

func (t *Table[V]) sized(size int) Table[V] {
	to := Table[V]{Unit: t.Unit, slots: make([]slot[V], size), shift: uint(64 - bits.Len(uint(size/block-1))), n: t.n}
	for i := range t.slots {
		if s := &t.slots[i]; s.key != 0 {
			to.slots[to.find(s.key-1)] = *s
		}
	}
	return to
}

// Delete takes the number out, if it is in.
func (t *Table[V]) Delete(key uint64) {
	if t.n == 0 {
		return
	}
	hole := t.find(key)
	if t.slots[hole].key == 0 {
		return
	}
	t.n--
	// Those that follow and are not where they would be without it move up.
	for at := t.after(hole); t.slots[at].key != 0; at = t.after(at) {
		if home := t.home(t.slots[at].key - 1); t.steps(home, at) >= t.steps(hole, at) {
			t.slots[hole], hole = t.slots[at], at
		}
	}
	t.slots[hole] = slot[V]{}
}

// steps is how far it is from one slot to another.
func (t *Table[V]) steps(from, to int) int { return (to - from) & (len(t.slots) - 1) }

// All goes through the numbers and their values, in no order. The table must not be
// changed meanwhile.
func (t *Table[V]) All() iter.Seq2[uint64, V] {
	return func(yield func(uint64, V) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; s.key != 0 && !yield(s.key-1, s.value) {
				return
			}
		}
	}
}
