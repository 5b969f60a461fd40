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

// side is what a run by two backends says, cut after so many lines.
func side(lines int) string {
	all := strings.SplitAfter(`=== RUN   TestStart
--- PASS: TestStart (0.52s)
=== RUN   TestCases
=== RUN   TestCases/kprobe
=== RUN   TestCases/kprobe/alive
--- PASS: TestCases/kprobe/alive (1.00s)
=== RUN   TestCases/kprobe/mptcp
    cases_test.go:12: not possible here: no MPTCP
--- SKIP: TestCases/kprobe/mptcp (0.00s)
--- PASS: TestCases/kprobe (1.00s)
=== RUN   TestCases/fentry
=== RUN   TestCases/fentry/alive
--- PASS: TestCases/fentry/alive (1.00s)
--- PASS: TestCases/fentry (1.00s)
--- PASS: TestCases (2.00s)
=== RUN   TestOrder
=== RUN   TestOrder/alive
--- PASS: TestOrder/alive (0.00s)
=== RUN   TestOrder/mptcp
    order_test.go:12: not possible here: no MPTCP
--- SKIP: TestOrder/mptcp (0.00s)
--- PASS: TestOrder (0.00s)
PASS
`, "\n")
	return strings.Join(all[:min(lines, len(all))], "")
}

func TestCells(t *testing.T) {
	whole := side(100)
	for _, c := range []struct {
		name, log    string
		started, ran bool
		status       int
		want         string
		ok           bool
	}{
		{"well", whole, true, true, 0, "1/1 (1 not possible), 1/1, 1/1 (1 not possible), 1/1", true},
		{"well, but a bad status", whole, true, true, 1, "1/1 (1 not possible), 1/1, 1/1 (1 not possible), 1/1", false},
		{"well, but the guest died", whole, true, false, 0, "1/1 (1 not possible), 1/1, 1/1 (1 not possible), 1/1", false},
		{"a case fails", strings.Replace(whole, "PASS: TestCases/fentry/alive", "FAIL: TestCases/fentry/alive", 1), true, true, 1,
			"1/1 (1 not possible), 0/1 FAIL, 1/1 (1 not possible), 1/1", false},
		{"backends differ", strings.Replace(whole, "PASS: TestOrder/alive", "FAIL: TestOrder/alive", 1), true, true, 1,
			"1/1 (1 not possible), 1/1, 0/1 (1 not possible) FAIL, 1/1", false},
		{"another test fails", strings.Replace(whole, "PASS: TestStart", "FAIL: TestStart", 1), true, true, 1,
			"1/1 (1 not possible), 1/1, 1/1 (1 not possible), 0/1 FAIL", false},
		{"all impossible", strings.Replace(whole, "PASS: TestCases/fentry/alive", "SKIP: TestCases/fentry/alive", 1), true, true, 0,
			"1/1 (1 not possible), 0/0 (1 not possible) FAIL, 1/1 (1 not possible), 1/1", false},
		{"cut off in a case", side(12), true, false, 0, "1/1 (1 not possible), 0/1 FAIL, 0/0 FAIL, 1/1", false},
		{"nothing", "testing: warning: no tests to run\nPASS\n", true, true, 0, "0/0 FAIL, 0/0 FAIL, 0/0 FAIL, 0/0 FAIL", false},
		{"did not run", "", false, false, 0, "did not run FAIL, did not run FAIL, did not run FAIL, did not run FAIL", false},
	} {
		backends := []string{"kprobe", "fentry"}
		s := suite{started: c.started, ran: c.ran, exit: wire.Exit{Status: c.status}, log: parseTestLog(c.log)}
		var got []string
		for _, cell := range s.cells(backends) {
			got = append(got, cell.String())
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, strings.Join(got, ", "), c.want)
		}
		if s.ok(backends) != c.ok || (s.report(backends) == "") != c.ok {
			t.Errorf("%s: ok %v, report %q", c.name, s.ok(backends), s.report(backends))
		}
	}
}

// TestOnly: of the tests that were asked for those count that there are; where there
// are none it is said.
func TestOnly(t *testing.T) {
	backends := []string{"kprobe", "fentry"}
	for _, c := range []struct{ name, log, cells, report string }{
		{"none", "testing: warning: no tests to run\nPASS\n", "-, -, -, -", "no test matches -run \"a\\x1b|b\"\n"},
		{"no case", "=== RUN   TestCases\n=== RUN   TestCases/kprobe\n--- PASS: TestCases/kprobe (0.00s)\n--- PASS: TestCases (0.00s)\nPASS\n", "-, -, -, -", "no test matches"},
		{"a test", "=== RUN   TestStart\n--- PASS: TestStart (0.52s)\nPASS\n", "-, -, -, 1/1", ""},
		{"a test is skipped", "=== RUN   TestStart\n--- SKIP: TestStart (0.52s)\nPASS\n", "-, -, -, 0/0 (1 not possible) FAIL", "other tests: none ran, or all were skipped"},
	} {
		s := suite{started: true, ran: true, only: "a\x1b|b", log: parseTestLog(c.log)}
		var got []string
		for _, cell := range s.cells(backends) {
			got = append(got, cell.String())
		}
		if strings.Join(got, ", ") != c.cells || s.ok(backends) != (c.report == "") || !strings.Contains(s.report(backends), c.report) {
			t.Errorf("%s: %q, %v, %q", c.name, got, s.ok(backends), s.report(backends))
		}
	}
}

func TestTable(t *testing.T) {
	r := &row{
		env: environment{name: "6.12-arm64"}, kernel: &kernel{Version: "6.12.117-1"}, backends: []string{"kprobe", "fentry"}, seconds: 90,
		tests: suite{started: true, ran: true, log: parseTestLog(side(100))},
	}
	absent := &row{
		env: environment{name: "absent"}, kernel: &kernel{Version: "7.3.4-1"}, seconds: 9,
		tests: suite{started: true, ran: true, log: parseTestLog("=== RUN   TestAbsent\n--- PASS: TestAbsent (0.52s)\nPASS\n")},
	}
	var b strings.Builder
	printTable(&b, []*row{absent, r})
	want := `guest        version      kprobe                 fentry   same events            other tests   verdict   seconds
absent       7.3.4-1      -                      -        -                      1/1           ok        9
6.12-arm64   6.12.117-1   1/1 (1 not possible)   1/1      1/1 (1 not possible)   1/1           ok        90
6.12-arm64: mptcp: not possible here: no MPTCP
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error("table (-want +got):\n" + d)
	}
}
