// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	const want = `
case       staged                        katrace said                  app read    k/w/e  agrees
alive      the peer answers              alive: 3 probes, 3 answers    nothing     3/3/3  yes
forgotten  the peer loses its socket     timed_out: 3 probes, 2        ECONNRESET  2/2/3  NO
           after an answer               answers
    - 3 probe events, the kernel counts 2
    - a very long reason to disagree that goes on and on and on until it needs a second line to
      be said

k/w/e: probes counted by the kernel, captured on the wire, told as events
`
	got := Table([]Row{
		{Case: "alive", Staged: "the peer answers", Said: "alive: 3 probes, 3 answers", Errno: "nothing", Kernel: 3, Wire: 3, Events: 3, Agrees: true},
		{Case: "forgotten", Staged: "the peer loses its socket after an answer", Said: "timed_out: 3 probes, 2 answers", Errno: "ECONNRESET", Kernel: 2, Wire: 2, Events: 3,
			Why: []string{"3 probe events, the kernel counts 2", "a very long reason to disagree that goes on and on and on until it needs a second line to be said"}},
	}, 96)
	if diff := cmp.Diff(want, "\n"+got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTableFits: every case in words, and any reason, within the width.
func TestTableFits(t *testing.T) {
	var rows []Row
	for _, c := range Cases() {
		rows = append(rows, Row{Case: c.Name, Staged: c.Staged, Errno: "ECONNRESET", Kernel: 10, Wire: 10, Events: 10,
			Said: "unreachable: 3 probes, 0 answers, reset ETIMEDOUT, 4 icmp",
			Why:  []string{strings.Repeat("word ", 60), strings.Repeat("x", 300)}})
	}
	for width := 1; width < 200; width++ {
		for line := range strings.Lines(Table(rows, width)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > max(width, 80) {
				t.Fatalf("at width %d a line has %d columns: %q", width, n, line)
			}
		}
	}
}
