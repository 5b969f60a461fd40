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
	fmt.Fprintf(w, "\nLinux %s %s: %s per firing or segment, median of %d (± 95 %% confidence), %d firings each\n",
		unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]), o.unit, o.pairs, o.conns)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprint(t, "\t")
	for i := range o.works() {
		fmt.Fprintf(t, "%v\t", i)
	}
	fmt.Fprintln(t)
	for i, v := range vs {
		fmt.Fprintf(t, "%s\t", v.name)
		for k := range o.works() {
			fmt.Fprintf(t, "%s\t", cell(k, i, v.inside, results))
		}
		fmt.Fprintln(t)
	}
}

// cell is a pair's difference to the run without a tracer before it, the
// median of all pairs, and what was not told, if anything. What was measured
// inside the programs is nobody's difference.
func cell(k work, variant int, inside bool, results [][]sample) string {
	var diffs, told []float64
	format := "%.0f"
	for pair, s := range results[variant] {
		d := s.cost[k]
		if variant > 0 && !inside {
			d -= results[0][pair].cost[k]
			format = "%+.0f"
		}
		diffs = append(diffs, d)
		told = append(told, s.told[k])
	}
	text := fmt.Sprintf(format, median(diffs))
	if len(diffs) > 3 {
		text += fmt.Sprintf(" ±%.0f", confidence(diffs))
	}
	if variant > 0 {
		if got := median(told); !math.IsNaN(got) && math.Abs(got-1) >= .0005 {
			text += fmt.Sprintf(" (%.1f %% told)", 100*got)
		}
	}
	return text
}

func median(xs []float64) float64 { return quantile(xs, .5) }

// quantile interpolates between the two values next to it.
func quantile(xs []float64, q float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	at := q * float64(len(xs)-1)
	low, high := xs[int(math.Floor(at))], xs[int(math.Ceil(at))]
	return low + (high-low)*(at-math.Floor(at))
}

// confidence is how far the median may be off: the notch of a box plot
// (McGill, Tukey and Larsen, 1978), about 95 %.
func confidence(xs []float64) float64 {
	return 1.57 * (quantile(xs, .75) - quantile(xs, .25)) / math.Sqrt(float64(len(xs)))
}
