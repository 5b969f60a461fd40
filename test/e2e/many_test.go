// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMany: more than 100,000 events in one run, none lost, the hooks still
// attached at the end (a link that the garbage collector closes detaches
// itself), and as many probes as the kernel counts: on a kernel that does not run
// BPF programs while certain tasks are the current one, less those that katrace
// itself reports as missed.
func TestMany(t *testing.T) {
	beside(t)
	const want = 100_000
	conns := 4000
	if emulated() {
		t.Log("emulated: fewer connections, events as they come")
		conns = 300
	}
	l := newLoad(t, conns, false, 3)
	runs := startAll(t, "--debug", l.only(), noDrops)
	for _, r := range runs {
		// No kernel of the matrix refuses the programs that read by loads; without
		// its compiler every one does.
		nojit := os.Getenv("KATRACE_ENVIRONMENT") == "nojit"
		if said := r.stderr.String(); strings.Contains(said, "read by a call") != nojit {
			t.Error(said)
		}
	}
	l.begin()
	if emulated() {
		time.Sleep(5 * time.Second)
	} else {
		for _, r := range runs {
			waitFor(t, 2*time.Minute, "100,000 events", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return len(r.events) > want
			})
		}
	}
	// No more probes: the count and the events are then of one time.
	counted := l.end()
	for _, r := range runs {
		if got := r.check(l, counted); got.lost.Ring+got.lost.Follow != 0 {
			t.Errorf("%s: lost %+v", r.by, got.lost)
		}
	}
}
