// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"math"
	"strings"
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
	if got := cell(openReset, 1, true, [][]sample{{none}, {traced}}); got != "" {
		t.Errorf("of what is no firing: %q, want nothing", got)
	}
}

// A run that was cut short shows what it has: of the last pair only the first variants
// were measured.
func TestShowsWhatThereIs(t *testing.T) {
	of := func(cost float64) (s sample) {
		s.cost[otherTimer] = cost
		s.told[otherTimer] = math.NaN()
		return s
	}
	vs := []variant{{name: "no tracer"}, {name: "one"}, {name: "another"}}
	var text strings.Builder
	show(&text, options{}, vs, [][]sample{{of(100), of(300)}, {of(140)}, nil})
	for _, want := range []string{"median of 2 ", "| no tracer |         200 |", "| one       |         +40 |", "| another   |             |"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// A measurement in words has what was not told, and nothing of that where there is nothing to tell.
func TestWords(t *testing.T) {
	var s sample
	for k := range s.told {
		s.cost[k], s.told[k] = 1234, math.NaN()
	}
	s.told[nextProbe], s.told[answeredProbe] = .5, 1
	got := (&options{}).words(s)
	want := "other timer 1,234, never probed 1,234, first probe 1,234, probe 1,234 (50.0 % told), answered probe 1,234, answer only 1,234, no event 1,234, open and reset 1,234"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
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
