// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"katrace/internal/events"
)

// TestFaultRing: katraces with the smallest ring there is, which nobody reads for a
// while, beside another one. They lose records and count each: what they show and what
// they say to have lost are together what there was. The other one shows them all.
func TestFaultRing(t *testing.T) {
	beside(t)
	n := pick(3000, 300)
	l := newLoad(t, n, true, 127)
	gates := make([]sync.Mutex, len(backends()))
	var small []tracer
	for i, by := range backends() {
		gates[i].Lock()
		small = append(small, startBehind(t, &gates[i], by, l.only(), noDrops, "--ring-size=4KiB"))
	}
	normal := startOne(t, l.only(), noDrops)
	l.begin()
	l.overflow(n)
	counted := l.end()
	for i := range gates {
		gates[i].Unlock()
	}
	if got := normal.check(l, counted); got.lost.Ring != 0 {
		t.Errorf("%s: lost with the default ring: %+v", normal.by, got)
	}
	for _, r := range small {
		got := r.check(l, counted)
		if got.lost.Ring == 0 {
			t.Errorf("%s: nothing lost with a ring of 4 KiB: this test sees nothing", r.by)
		}
		if said := lastLine(r.stderr.String()); !strings.Contains(said, fmt.Sprintf(" %d records, the ring buffer was full", got.lost.Ring)) {
			t.Errorf("%s: the lost events say %+v, the summary %q", r.by, got.lost, said)
		}
	}
}

// overflow waits for more of n connections' probes than a pipe, a buffer of lines and the
// smallest ring have room for.
func (l *load) overflow(n int) {
	l.t.Helper()
	full := l.counted() + uint64(3*n)
	waitFor(l.t, 3*time.Minute, "three probes of each connection", func() bool { return l.counted() >= full })
}

// TestFaultEndsLost: the records of connections' ends do not fit into the ring. Soon
// katrace does not count these connections among those that live any more: it looks for
// them every half a minute.
func TestFaultEndsLost(t *testing.T) {
	beside(t)
	n := pick(1000, 200)
	l := newLoad(t, n, true, 127)
	// With --all katrace counts connections by the records that it has read.
	all := startGated(t, l, false, "--all")
	l.begin()
	for _, b := range all {
		waitFor(t, 3*time.Minute, "half of the connections", func() bool { return scrape(t, b.socket).sum("connections") > float64(n/2) })
		b.gate.Lock()
	}
	l.overflow(n)
	l.close()
	for _, b := range all {
		b.gate.Unlock()
		lost := uint64(0)
		waitFor(t, 3*time.Minute, "the connections to be forgotten", func() bool { return scrape(t, b.socket).sum("connections") == 0 })
		closed := 0
		for _, e := range b.stop() {
			switch e.Kind {
			case events.KindClosed:
				closed++
			case events.KindLost:
				lost += e.Lost.Ring
			default:
			}
		}
		t.Logf("%s: %d ends of %d are told, %d records are lost", b.by, closed, n, lost)
		if closed >= n/2 || lost == 0 {
			t.Errorf("%s: %d ends of %d are told, %d records are lost: this test sees nothing", b.by, closed, n, lost)
		}
	}
}
