// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"

	"katrace/test/vm/internal/wire"
)

// suite is one run of the test binary in a guest.
type suite struct {
	started bool
	ran     bool // to its end
	exit    wire.Exit
	log     *testLog // of what arrived, if it did not end
	only    string   // the tests that were asked for, as go test -run has it; "": all
}

// cell is one column of one guest: a group of tests.
type cell struct {
	title string
	tally tally
	ran   bool // it began
	none  bool // it has none of the tests that were asked for
}

// Titles of the cells that are no backend's.
const (
	sameEvents = "same events"
	otherTests = "other tests"
)

// cells are what each column shows: the cases by each backend, whether the
// backends agree with each other, and the other tests.
func (r *suite) cells(backends []string) (cells []cell) {
	add := func(title string, n tally) {
		cells = append(cells, cell{title, n, r.started, r.only != "" && n == tally{}})
	}
	for _, b := range backends {
		add(b, r.log.under(casesTest+"/"+b+"/"))
	}
	if len(backends) > 1 {
		add(sameEvents, r.log.under(orderTest+"/"))
	}
	add(otherTests, r.log.others())
	return cells
}

// ok tells whether at least one test of the column ran, and all that did passed.
func (c cell) ok() bool { return c.none || c.tally.failed == 0 && c.tally.passed > 0 }

// String is the cell's text in the table: agreed/total, and FAIL where they are
// not the same. Skipped tests are not among the total.
func (c cell) String() string {
	if !c.ran {
		return "did not run FAIL"
	}
	if c.none {
		return "-"
	}
	n := c.tally
	text := fmt.Sprintf("%d/%d", n.passed, n.passed+n.failed)
	if n.skipped > 0 {
		text += fmt.Sprintf(" (%d not possible)", n.skipped)
	}
	if c.ok() {
		return text
	}
	return text + " FAIL"
}

// ok tells whether the run came to a good end.
func (r *suite) ok(backends []string) bool {
	if !r.ran || r.exit.Status != 0 {
		return false
	}
	ran := false
	for _, c := range r.cells(backends) {
		if !c.ok() {
			return false
		}
		ran = ran || !c.none
	}
	return ran
}

// report tells what failed, with the output of the tests that did.
func (r *suite) report(backends []string) string {
	if r.ok(backends) {
		return ""
	}
	if !r.started {
		return "the tests did not run\n"
	}
	var b strings.Builder
	if !r.ran {
		b.WriteString("the guest ended before the tests did\n")
	}
	if r.exit.Error != "" {
		fmt.Fprintf(&b, "%s\n", r.exit.Error)
	}
	for _, t := range r.log.failures() {
		what := "failed"
		if t.result == noEnd {
			what = "did not end"
		}
		fmt.Fprintf(&b, "--- %s %s\n%s", t.name, what, t.output)
	}
	none := 0
	cells := r.cells(backends)
	for _, c := range cells {
		if c.none {
			none++
		} else if r.ran && c.tally.passed+c.tally.failed == 0 {
			fmt.Fprintf(&b, "%s: none ran, or all were skipped\n", c.title)
		}
	}
	if r.ran && none == len(cells) {
		fmt.Fprintf(&b, "no test matches -run %q\n", r.only)
	}
	if rest := strings.TrimSpace(r.log.rest); rest != "" {
		fmt.Fprintf(&b, "%s\n", lastLines(rest, 40))
	}
	if r.ran {
		fmt.Fprintf(&b, "exit status %d\n", r.exit.Status)
	}
	return b.String()
}
