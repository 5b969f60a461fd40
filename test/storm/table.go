// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"slices"

	"katrace/test/peers"
)

// row is one tool in one run.
type row struct {
	window
	peers.Told
}

// neither is the part of the probes that the tool neither told nor says that it
// lost; negative where it told more than there were.
func (r row) neither() float64 {
	return (float64(r.counted) - float64(r.Probes) - float64(r.Lost)) / float64(r.counted)
}

func (r row) String() string {
	return fmt.Sprintf("%.0f probes/s, %.3f cores and %.3f in its programs, %d MiB; the kernel counts %d probes, told %d, lost %d",
		r.rate(), r.katrace/r.took.Seconds(), r.programs/r.took.Seconds(), r.peak>>20, r.counted, r.Probes, r.Lost)
}

// show prints a table in Markdown.
func (p *plan) show(w io.Writer, rate float64, subjects []subject, rows [][]row) {
	// What a second of a processor is called: in a guest whose clock counts
	// instructions, a billion of them.
	cost := func(seconds func(row) float64) func(row) float64 {
		return func(r row) float64 { return seconds(r) / r.took.Seconds() }
	}
	unit, format := "cores", "%.3f"
	if p.instructions {
		cost = func(seconds func(row) float64) func(row) float64 {
			return func(r row) float64 { return seconds(r) * 1e9 / float64(r.probes) }
		}
		unit, format = "instructions a probe", "%.0f"
	}
	fmt.Fprintf(w, "%.0f connections, %.0f probes/s, medians of %d, %s:\n\n", float64(p.conns), rate, p.runs, unit)
	fmt.Fprintln(w, "| | its process | its programs | most memory | told | lost, by its own count | neither |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|")
	of := func(i int, value func(row) float64) float64 {
		all := make([]float64, 0, len(rows[i]))
		for _, r := range rows[i] {
			all = append(all, value(r))
		}
		return median(all)
	}
	for i, s := range subjects {
		lost := "does not count"
		if rows[i][0].Counts {
			lost = fmt.Sprintf("%.1f %%", of(i, func(r row) float64 { return 100 * float64(r.Lost) / float64(r.counted) }))
		}
		fmt.Fprintf(w, "| `%s` | "+format+" | "+format+" | %.0f MiB | %.1f %% | %s | %.1f %% |\n", s.name,
			of(i, cost(func(r row) float64 { return r.katrace })),
			of(i, cost(func(r row) float64 { return r.programs })),
			of(i, func(r row) float64 { return float64(r.peak >> 20) }),
			of(i, func(r row) float64 { return 100 * float64(r.Probes) / float64(r.counted) }),
			lost,
			of(i, func(r row) float64 { return 100 * r.neither() }))
	}
}

// median of at least one value.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
