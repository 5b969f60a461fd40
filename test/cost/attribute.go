// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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

// attribute sums a phase up by function.
func attribute(phase blocks.Phase, symbols []symbol, n int) uses {
	symbols = slices.SortedFunc(slices.Values(symbols), func(a, b symbol) int { return cmp.Compare(a.Address, b.Address) })
	of := uses{}
	for _, b := range phase {
		// Of names for the same address it is the last one.
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

// sums are the instructions of each part, and of all.
func (u uses) sums() (by [parts]float64, all float64) {
	for name, x := range u {
		by[partOf(name)] += x.insns
		all += x.insns
	}
	return by, all
}

// readCounted reads what the guest said of each variant, the run without a tracer first.
// A work's uses are nil where it was not done.
func readCounted(counts, said io.Reader) (variants []counted, byWork [][works]uses, err error) {
	phases, err := blocks.Read(counts)
	if err != nil {
		return nil, nil, err
	}
	var kernel []symbol
	for in := json.NewDecoder(said); ; {
		var v counted
		if err := in.Decode(&v); errors.Is(err, io.EOF) {
			return variants, byWork, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("what the guest said: %w", err)
		}
		if len(variants) == 0 {
			kernel = v.Symbols
		}
		var of [works]uses
		for _, m := range v.Marks {
			w := works
			for w--; w >= 0 && w.String() != m.Work; w-- {
			}
			if w < 0 || m.Phase < 0 || m.Phase >= len(phases) || m.N <= 0 {
				return nil, nil, fmt.Errorf("%s: %q, %d times, is no work of ours, or there is no phase %d: %d were counted", v.Variant, m.Work, m.N, m.Phase, len(phases))
			}
			of[w] = attribute(phases[m.Phase], slices.Concat(kernel, v.Symbols), m.N)
		}
		variants, byWork = append(variants, v), append(byWork, of)
	}
}

// showCounted writes the tables of what was counted: all that is added to the work without
// a tracer, and its parts. top is how many functions to list of each.
func showCounted(to io.Writer, counts, said io.Reader, top int) error {
	variants, byWork, err := readCounted(counts, said)
	if err != nil {
		return err
	}
	if len(variants) == 0 {
		return errors.New("the guest said nothing")
	}
	head := []string{variants[0].Kernel}
	var kinds []work
	for w := range works {
		if byWork[0][w] != nil {
			kinds = append(kinds, w)
			head = append(head, w.String())
		}
	}
	all := [][]string{head}
	for i, v := range variants {
		row := []string{v.Variant}
		for _, w := range kinds {
			done := byWork[i][w]
			if i > 0 {
				done = done.minus(byWork[0][w])
			}
			_, sum := done.sums()
			row = append(row, round(sum))
		}
		all = append(all, row)
	}
	markdown(to, all)
	for i, v := range variants[1:] {
		rows := [][]string{{v.Kernel + ", " + v.Variant, "all"}}
		for p := range parts {
			rows[0] = append(rows[0], p.String())
		}
		for _, w := range kinds {
			by, sum := byWork[i+1][w].minus(byWork[0][w]).sums()
			row := []string{w.String(), round(sum)}
			for p := range parts {
				row = append(row, round(by[p]))
			}
			rows = append(rows, row)
		}
		markdown(to, rows)
		for _, w := range kinds {
			byWork[i+1][w].minus(byWork[0][w]).list(to, v.Variant+", "+w.String(), top)
		}
	}
	return nil
}

// list writes the functions with the largest difference.
func (u uses) list(to io.Writer, title string, top int) {
	if top == 0 {
		return
	}
	names := make([]string, 0, len(u))
	for name := range u {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(math.Abs(u[b].insns), math.Abs(u[a].insns)), cmp.Compare(a, b))
	})
	rows := [][]string{{title, "instructions", "calls", "part"}}
	for _, name := range names[:min(top, len(names))] {
		rows = append(rows, []string{cmp.Or(name, "(no name)"), round(u[name].insns), fmt.Sprintf("%.2f", u[name].calls), partOf(name).String()})
	}
	markdown(to, rows)
}
