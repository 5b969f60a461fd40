// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"regexp"
	"slices"
	"strings"
)

// The tests whose subtests are the staged cases: casesTest/BACKEND/CASE, and
// orderTest/CASE, by which the backends are compared with each other.
const (
	casesTest = "TestCases"
	orderTest = "TestOrder"
)

// result is what became of one test.
type result string

// The results of a test. A test that began and never ended, because the
// process died, has none.
const (
	passed  result = "PASS"
	failed  result = "FAIL"
	skipped result = "SKIP"
	noEnd   result = ""
)

// testRun is one test or subtest of a test binary's output.
type testRun struct {
	name   string
	result result
	output string // the lines that it wrote, those of its subtests excluded
}

// verbose is the flag of a test binary that the parser is made for: results
// come as subtests end. With a plain -test.v they come when the last one has
// ended, and a run that dies says of none how it went.
const verbose = "-test.v=test2json"

// marker stands before each line of package testing's own with that flag
// (cmd/internal/test2json).
const marker = "\x16"

// testLog is the output of a test binary run with the flag verbose.
type testLog struct {
	tests []*testRun // in the order of their beginning
	rest  string     // lines outside of any test: a panic, the final PASS or FAIL
}

// Lines with which package testing marks what follows, and ends of tests. A
// test that wrote a line without a line feed has the mark behind its text.
var (
	markLine = regexp.MustCompile(`=== (RUN|CONT|NAME|PAUSE)\s+(\S*)$`)
	endLine  = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (\S+) \([0-9.]+s\)$`)
	fatal    = regexp.MustCompile(`^(panic: |fatal error: |PASS$|FAIL$|exit status )`)
)

// parseTestLog reads the output of one run of a test binary.
func parseTestLog(text string) *testLog {
	log := &testLog{}
	byName := map[string]*testRun{}
	var current *testRun
	var rest strings.Builder
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), marker, "")
		if m := markLine.FindStringSubmatchIndex(line); m != nil {
			appendLine(current, line[:m[0]])
			name := line[m[4]:m[5]]
			if current = byName[name]; current == nil && name != "" {
				current = &testRun{name: name}
				byName[name] = current
				log.tests = append(log.tests, current)
			}
			continue
		}
		if m := endLine.FindStringSubmatchIndex(line); m != nil {
			if t := byName[line[m[4]:m[5]]]; t != nil {
				appendLine(current, line[:m[0]])
				t.result = result(line[m[2]:m[3]])
				current = t // what a test says after its end, t.Log of a parent, say
				continue
			}
		}
		if fatal.MatchString(line) {
			current = nil
		}
		if current == nil {
			rest.WriteString(line + "\n")
			continue
		}
		appendLine(current, line)
	}
	log.rest = rest.String()
	return log
}

func appendLine(t *testRun, line string) {
	if t != nil && strings.TrimSpace(line) != "" {
		t.output += line + "\n"
	}
}

// tally counts cases.
type tally struct{ passed, failed, skipped int }

// add counts a test; one without an end has failed.
func (n *tally) add(r result) {
	switch r {
	case passed:
		n.passed++
	case skipped:
		n.skipped++
	default:
		n.failed++
	}
}

// under counts the tests directly below a prefix that ends in a slash.
func (l *testLog) under(prefix string) (n tally) {
	for _, t := range l.tests {
		if name, ok := strings.CutPrefix(t.name, prefix); ok && !strings.Contains(name, "/") {
			n.add(t.result)
		}
	}
	return n
}

// others counts the tests that are no cases.
func (l *testLog) others() (n tally) {
	for _, t := range l.tests {
		if t.name != casesTest && t.name != orderTest && !strings.Contains(t.name, "/") {
			n.add(t.result)
		}
	}
	return n
}

// skips returns why tests were skipped, by their last names, each once.
func (l *testLog) skips() (why []string) {
	for _, t := range l.tests {
		if t.result != skipped {
			continue
		}
		name := t.name[strings.LastIndexByte(t.name, '/')+1:]
		_, reason, _ := strings.Cut(strings.TrimSpace(t.output), ": ") // file:line: reason
		if line := name + ": " + reason; !slices.Contains(why, line) {
			why = append(why, line)
		}
	}
	return why
}

// failures returns the tests that failed or never ended, but for those that
// only failed because a subtest did and have nothing to add.
func (l *testLog) failures() (out []*testRun) {
	parent := map[string]bool{}
	for _, t := range l.tests {
		if t.result == passed || t.result == skipped {
			continue
		}
		for name := t.name; ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				break
			}
			name = name[:i]
			parent[name] = true
		}
	}
	for _, t := range l.tests {
		if t.result != passed && t.result != skipped && (!parent[t.name] || t.output != "") {
			out = append(out, t)
		}
	}
	return out
}
