// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"math"
	"testing"
)

// A cell is the median of each pair's own difference, not the difference of
// medians, and says what the tracer did not tell.
func TestCell(t *testing.T) {
	of := func(cost, told float64) (s sample) {
		s.cost[nextProbe], s.told[nextProbe] = cost, told
		return s
	}
	results := [][]sample{
		{of(100, 1), of(200, 1), of(900, 1)},
		{of(110, 1), of(260, .5), of(920, .5)}, // +10, +60, +20
		{of(90, math.NaN()), of(200, math.NaN()), of(905, math.NaN())},
	}
	for variant, want := range []string{"200", "+20 (50.0 % told)", "+0"} {
		if got := cell(nextProbe, variant, false, results); got != want {
			t.Errorf("variant %d: got %q, want %q", variant, got, want)
		}
	}
}

// What was measured inside the programs is shown as it is.
func TestCellInside(t *testing.T) {
	var none, traced sample
	none.cost[nextProbe], traced.cost[nextProbe], traced.told[nextProbe] = 100, 40, 1
	if got := cell(nextProbe, 1, true, [][]sample{{none}, {traced}}); got != "40" {
		t.Errorf("got %q, want 40", got)
	}
}

func TestConfidence(t *testing.T) {
	// Quartiles 2 and 4 of five values: 1.57 * 2 / sqrt(5).
	if got := confidence([]float64{5, 1, 4, 2, 3}); math.Abs(got-1.404) > .001 {
		t.Errorf("got %v, want 1.404", got)
	}
}

func TestMedianOfEven(t *testing.T) {
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("got %v, want 2.5", got)
	}
}
