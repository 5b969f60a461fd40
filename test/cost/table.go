// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// show prints the medians: without a tracer what the work takes, with one what
// it takes more.
func show(w io.Writer, o options, vs []variant, results [][]sample) {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	fmt.Fprintf(w, "\nLinux %s %s: ns per firing or segment, median of %d (± 95 %% confidence), %d firings each\n",
		unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Machine[:]), len(results[0]), o.conns)
	rows := [][]string{{""}}
	for k := range o.works() {
		rows[0] = append(rows[0], k.String())
	}
	for i, v := range vs {
		row := []string{v.name}
		for k := range o.works() {
			row = append(row, cell(k, i, v.inside, results))
		}
		rows = append(rows, row)
	}
	markdown(w, rows)
}

// words are what was measured once: the time of each kind of work, not what a tracer adds.
func (o *options) words(s sample) string {
	if o.count {
		return "counted"
	}
	var words []string
	for k := range o.works() {
		text := fmt.Sprintf("%v %s", k, number(s.cost[k]))
		if told := s.told[k]; math.Abs(told-1) >= .0005 { // not where it is NaN
			text += fmt.Sprintf(" (%.1f %% told)", 100*told)
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

// markdown writes a table, the first row of which is its head.
func markdown(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	fmt.Fprintln(w)
	for r, row := range rows {
		for i, text := range row {
			if i > 0 {
				text = fmt.Sprintf("%*s", widths[i], text)
			}
			fmt.Fprintf(w, "| %-*s ", widths[i], text)
		}
		fmt.Fprintln(w, "|")
		if r == 0 {
			fmt.Fprintln(w, "|---|"+strings.Repeat("--:|", len(row)-1))
		}
	}
}

// number shows no fractions, and a comma before the last three digits.
func number(x float64) string {
	n := int(math.Round(x))
	text := strconv.Itoa(n)
	if n >= 1000 || n <= -1000 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text
}

// cell is a pair's difference to the run without a tracer before it, the
// median of all pairs, and what was not told, if anything. What was measured
// inside the programs is nobody's difference.
func cell(k work, variant int, inside bool, results [][]sample) string {
	if len(results[variant]) == 0 { // it was not its turn yet
		return ""
	}
	if inside && (k < neverProbed || k > uneventful) { // of which the programs' own time is not known
		return ""
	}
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
