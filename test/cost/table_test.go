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
		if got := cell(nextProbe, variant, results); got != want {
			t.Errorf("variant %d: got %q, want %q", variant, got, want)
		}
	}
}

func TestMedianOfEven(t *testing.T) {
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("got %v, want 2.5", got)
	}
}
