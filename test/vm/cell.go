// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"

	"katrace/test/vm/internal/wire"
)

// cell is one backend on one kernel.
type cell struct {
	backend string
	started bool
	ran     bool // to its end
	exit    wire.Exit
	log     *testLog // of what arrived, if it did not end
}

// ok tells whether it ran, ended well, and compared at least one case.
func (c *cell) ok() bool {
	if !c.ran || c.exit.Status != 0 {
		return false
	}
	n := c.log.cases()
	return n.failed == 0 && n.passed > 0
}

// String is the cell's text in the table: agreed/total, and the verdict.
// Skipped cases are not among the total.
func (c *cell) String() string {
	if !c.started {
		return "did not run FAIL"
	}
	n := c.log.cases()
	text := fmt.Sprintf("%d/%d", n.passed, n.passed+n.failed)
	if n.skipped > 0 {
		text += fmt.Sprintf(" (%d skipped)", n.skipped)
	}
	if c.ok() {
		return text + " ok"
	}
	return text + " FAIL"
}

// report tells what failed, with the output of the tests that did.
func (c *cell) report() string {
	if c.ok() {
		return ""
	}
	if !c.started {
		return "it did not run\n"
	}
	var b strings.Builder
	if !c.ran {
		b.WriteString("the guest ended before it did\n")
	}
	if c.exit.Error != "" {
		fmt.Fprintf(&b, "%s\n", c.exit.Error)
	}
	for _, t := range c.log.failures() {
		what := "failed"
		if t.result == noEnd {
			what = "did not end"
		}
		fmt.Fprintf(&b, "--- %s %s\n%s", t.name, what, t.output)
	}
	if n := c.log.cases(); c.ran && n.passed+n.failed == 0 {
		fmt.Fprintf(&b, "no case ran: %s has no subtests, or all of them were skipped\n", casesTest)
	}
	if rest := strings.TrimSpace(c.log.rest); rest != "" {
		fmt.Fprintf(&b, "%s\n", lastLines(rest, 40))
	}
	if c.ran {
		fmt.Fprintf(&b, "exit status %d\n", c.exit.Status)
	}
	return b.String()
}
