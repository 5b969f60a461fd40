// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"slices"

	"katrace/test/vm/blocks"
)

// A function is at most so long. What lies further behind a symbol has no name.
const longest = 64 << 10

// use is what a function does for one firing or segment, on average.
type use struct {
	insns float64
	calls float64
}

// uses are the kernel's functions by name, "" for code without one.
type uses map[string]use

// byAddress orders symbols; of names for the same address the shortest is the last.
func byAddress(a, b symbol) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(len(b.Name), len(a.Name)), cmp.Compare(a.Name, b.Name))
}

// attribute sums a phase up by function, with symbols in the order of byAddress.
func attribute(phase blocks.Phase, symbols []symbol, n int) uses {
	of := uses{}
	for _, b := range phase {
		i, _ := slices.BinarySearchFunc(symbols, b.Address+1, func(s symbol, a uint64) int { return cmp.Compare(s.Address, a) })
		var s symbol
		if i > 0 && b.Address-symbols[i-1].Address < longest {
			s = symbols[i-1]
		}
		u := of[s.Name]
		u.insns += float64(b.Insns*b.Runs) / float64(n)
		if b.Address == s.Address {
			u.calls += float64(b.Runs) / float64(n)
		}
		of[s.Name] = u
	}
	return of
}

// minus is what is done more than without.
func (u uses) minus(without uses) uses {
	d := uses{}
	for name, x := range u {
		d[name] = x
	}
	for name, x := range without {
		y := d[name]
		d[name] = use{y.insns - x.insns, y.calls - x.calls}
	}
	return d
}

// sums are the instructions of each part, and of all that are attributed.
func (u uses) sums() (by [parts]float64, all float64) {
	for name, x := range u {
		p := partOf(name)
		if p == allocator {
			p = other
			if u["unit_alloc"].calls > .5 { // kernel/bpf/memalloc.c
				p = memory
			}
		}
		by[p] += x.insns
		if p != other {
			all += x.insns
		}
	}
	return by, all
}

// total is everything.
func (u uses) total() (insns float64) {
	for _, x := range u {
		insns += x.insns
	}
	return insns
}
