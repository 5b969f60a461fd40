// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"katrace/test/vm/blocks"
)

// result is what was counted of a variant: all that the kernel did, by work; nil: the
// work was not done.
type result struct {
	variant string
	work    [works]uses
}

// readCounted reads what the guest wrote of each variant, the run without a tracer first.
func readCounted(counts, wrote io.Reader) (kernel string, results []result, err error) {
	phases, err := blocks.Read(counts)
	if err != nil {
		return "", nil, err
	}
	var symbols []symbol // the kernel's own
	for in := json.NewDecoder(wrote); ; {
		var c counted
		err := in.Decode(&c)
		if errors.Is(err, io.EOF) && len(results) > 0 {
			return kernel, results, nil
		}
		if err != nil {
			return "", nil, fmt.Errorf("what the guest wrote: %w", err)
		}
		if len(results) == 0 {
			kernel, symbols = c.Kernel, c.Symbols
		}
		known := slices.SortedFunc(slices.Values(slices.Concat(symbols, c.Symbols)), byAddress)
		r := result{variant: c.Variant}
		for _, m := range c.Marks {
			w := slices.Index(workNames[:], m.Work)
			if w < 0 || m.Phase < 0 || m.Phase >= len(phases) || m.N <= 0 {
				return "", nil, fmt.Errorf("%s: %+v is no work of ours, or is not among the %d phases that were counted", c.Variant, m, len(phases))
			}
			r.work[w] = attribute(phases[m.Phase], known, m.N)
		}
		results = append(results, r)
	}
}

// showCounted writes tables of what was counted: what is added to the work without a
// tracer, and of each tracer the parts. top is how many functions to list of each figure.
func showCounted(to io.Writer, counts, wrote io.Reader, top int) error {
	kernel, results, err := readCounted(counts, wrote)
	if err != nil {
		return err
	}
	none, tracers := results[0], results[1:]
	all := [][]string{{kernel}, {none.variant + ": all of it"}}
	for w, u := range none.work {
		if u != nil {
			all[0] = append(all[0], work(w).String())
			all[1] = append(all[1], number(u.total()))
		}
	}
	for i, r := range tracers {
		row := []string{r.variant}
		for w, u := range r.work {
			if u != nil {
				added := u.minus(none.work[w])
				tracers[i].work[w] = added
				_, sum := added.sums()
				row = append(row, number(sum))
			}
		}
		all = append(all, row)
	}
	markdown(to, all)
	for _, r := range tracers {
		table := [][]string{{kernel + ", " + r.variant, "all"}}
		for p := range parts {
			table[0] = append(table[0], p.String())
		}
		for w, added := range r.work {
			if added != nil {
				by, sum := added.sums()
				row := []string{work(w).String(), number(sum)}
				for _, x := range by {
					row = append(row, number(x))
				}
				table = append(table, row)
			}
		}
		markdown(to, table)
	}
	for _, r := range tracers {
		for w, added := range r.work {
			if added != nil && top > 0 {
				markdown(to, added.list(r.variant+", "+work(w).String(), top))
			}
		}
	}
	return nil
}

// list is a table of the functions with the largest figures.
func (u uses) list(title string, top int) [][]string {
	rows := [][]string{{title, "instructions", "calls", "part"}}
	names := slices.SortedFunc(maps.Keys(u), func(a, b string) int {
		return cmp.Or(cmp.Compare(math.Abs(u[b].insns), math.Abs(u[a].insns)), cmp.Compare(a, b))
	})
	for _, name := range names[:min(top, len(names))] {
		rows = append(rows, []string{cmp.Or(name, "(no name)"), number(u[name].insns), fmt.Sprintf("%.2f", u[name].calls), partOf(name).String()})
	}
	return rows
}
