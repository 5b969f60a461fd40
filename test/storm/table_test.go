// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"
	"time"

	"katrace/test/peers"
)

// A cell is the median of the runs; what a tool neither told nor says that it lost is
// seen, and so is that it has no way of saying.
func TestTable(t *testing.T) {
	run := func(seconds float64, told, lost uint64, counts bool) row {
		return row{
			window: window{took: 10 * time.Second, katrace: seconds, programs: seconds / 2, peak: 5 << 20, probes: 800, counted: 1000},
			Told:   peers.Told{Probes: told, Lost: lost, Counts: counts},
		}
	}
	rows := [][]row{
		{run(1, 900, 100, true), run(3, 1000, 0, true), run(2, 990, 10, true)},
		{run(4, 700, 0, false), run(4, 600, 0, false), run(4, 800, 0, false)},
	}
	subjects := []subject{{name: "katrace"}, {name: "other"}}
	for _, c := range []struct {
		instructions bool
		want         []string
	}{
		{false, []string{
			"| `katrace` | 0.200 | 0.100 | 5 MiB | 99.0 % | 1.0 % | 0.0 % |",
			"| `other` | 0.400 | 0.200 | 5 MiB | 70.0 % | does not count | 30.0 % |",
		}},
		{true, []string{
			"| `katrace` | 2500000 | 1250000 | 5 MiB | 99.0 % | 1.0 % | 0.0 % |",
		}},
	} {
		var text strings.Builder
		p := plan{conns: 4000, runs: 3, instructions: c.instructions}
		p.show(&text, 80, subjects, rows)
		for _, line := range c.want {
			if !strings.Contains(text.String(), line+"\n") {
				t.Errorf("no line %q in\n%s", line, text.String())
			}
		}
	}
}
