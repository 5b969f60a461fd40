// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// show prints the medians: without a tracer what the work takes, with one what
// it takes more.
func show(w io.Writer, o options, vs []variant, results [][]sample) {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	fmt.Fprintf(w, "\nLinux %s %s: %s per firing or segment, median of %d, %d firings each\n",
		unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]), o.unit, o.pairs, o.conns)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprint(t, "\t")
	for i := range works {
		fmt.Fprintf(t, "%v\t", i)
	}
	fmt.Fprintln(t)
	for i, v := range vs {
		fmt.Fprintf(t, "%s\t", v.name)
		for k := range works {
			fmt.Fprintf(t, "%s\t", cell(k, i, results))
		}
		fmt.Fprintln(t)
	}
}

// cell is a pair's difference to the run without a tracer before it, the
// median of all pairs, and what was not told, if anything.
func cell(k work, variant int, results [][]sample) string {
	var diffs, told []float64
	for pair, s := range results[variant] {
		d := s.cost[k]
		if variant > 0 {
			d -= results[0][pair].cost[k]
		}
		diffs = append(diffs, d)
		told = append(told, s.told[k])
	}
	text := fmt.Sprintf("%.0f", median(diffs))
	if variant > 0 {
		text = fmt.Sprintf("%+.0f", median(diffs))
		if got := median(told); !math.IsNaN(got) && got != 1 {
			text += fmt.Sprintf(" (%.1f %% told)", 100*got)
		}
	}
	return text
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	n := len(xs)
	return (xs[(n-1)/2] + xs[n/2]) / 2
}
