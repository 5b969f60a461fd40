// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"katrace/test/vm/internal/wire"
)

// died is what a run says that a panic ended, with the flag verbose.
const died = `^=== RUN   TestCases
^=== RUN   TestCases/alive
    cases_test.go:10: probe 1
^--- PASS: TestCases/alive (1.00s)
^=== NAME  TestCases
^=== RUN   TestCases/vanished
    cases_test.go:11: probe 1
a line of its own^--- FAIL: TestCases/vanished (4.10s)
^=== NAME  TestCases
^=== RUN   TestCases/icmp
    cases_test.go:12: this backend cannot know
^--- SKIP: TestCases/icmp (0.00s)
^=== NAME  TestCases
^=== RUN   TestCases/reset
^=== RUN   TestCases/reset/ipv6
panic: runtime error: index out of range

goroutine 7 [running]:
exit status 2
`

// plain is what a run says that ended well, with a mere -test.v.
const plain = `=== RUN   TestStart
--- PASS: TestStart (0.52s)
=== RUN   TestCases
=== RUN   TestCases/alive
=== RUN   TestCases/vanished
--- PASS: TestCases (5.10s)
    --- PASS: TestCases/alive (1.00s)
    --- PASS: TestCases/vanished (4.10s)
PASS
`

func TestParseTestLog(t *testing.T) {
	log := parseTestLog(strings.ReplaceAll(died, "^", marker))
	got := map[string]string{}
	for _, r := range log.tests {
		got[r.name] = string(r.result) + "|" + r.output
	}
	want := map[string]string{
		"TestCases":            "|",
		"TestCases/alive":      "PASS|    cases_test.go:10: probe 1\n",
		"TestCases/vanished":   "FAIL|    cases_test.go:11: probe 1\na line of its own\n",
		"TestCases/icmp":       "SKIP|    cases_test.go:12: this backend cannot know\n",
		"TestCases/reset":      "|",
		"TestCases/reset/ipv6": "|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("tests (-want +got):\n" + diff)
	}
	if want := "panic: runtime error: index out of range\n\ngoroutine 7 [running]:\nexit status 2\n"; log.rest != want {
		t.Errorf("rest %q, want %q", log.rest, want)
	}
	var failures []string
	for _, f := range log.failures() {
		failures = append(failures, f.name)
	}
	if diff := cmp.Diff([]string{"TestCases/vanished", "TestCases/reset/ipv6"}, failures); diff != "" {
		t.Error("failures (-want +got):\n" + diff)
	}
}

func TestCell(t *testing.T) {
	for _, c := range []struct {
		name, log    string
		started, ran bool
		status       int
		want         string
	}{
		{"died", strings.ReplaceAll(died, "^", marker), true, true, 2, "1/3 (1 skipped) FAIL"},
		{"well", plain, true, true, 0, "2/2 ok"},
		{"well, but a bad status", plain, true, true, 1, "2/2 FAIL"},
		{"other tests only", "=== RUN   TestStart\n--- PASS: TestStart (0.52s)\nPASS\n", true, true, 0, "0/0 FAIL"},
		{"nothing", "testing: warning: no tests to run\nPASS\n", true, true, 0, "0/0 FAIL"},
		{"all skipped", "=== RUN   TestCases\n=== RUN   TestCases/icmp\n--- PASS: TestCases (0.00s)\n    --- SKIP: TestCases/icmp (0.00s)\nPASS\n", true, true, 0, "0/0 (1 skipped) FAIL"},
		{"cut off", strings.ReplaceAll(died, "^", marker), true, false, 0, "1/3 (1 skipped) FAIL"},
		{"cut off after a good case", "=== RUN   TestCases\n=== RUN   TestCases/alive\n--- PASS: TestCases/alive (1.00s)\n", true, false, 0, "1/1 FAIL"},
		{"did not run", "", false, false, 0, "did not run FAIL"},
	} {
		got := cell{started: c.started, ran: c.ran, exit: wire.Exit{Status: c.status}, log: parseTestLog(c.log)}
		if got.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, got.String(), c.want)
		}
		if (got.report() == "") != got.ok() {
			t.Errorf("%s: report %q", c.name, got.report())
		}
	}
}
