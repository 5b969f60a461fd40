// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
)

// TestFaultRing: two katraces at once, one with the smallest ring there is. That
// one loses records and counts each: what it shows and what it says to have
// lost are together what there was. The other one shows them all.
func TestFaultRing(t *testing.T) {
	l := newLoad(t, pick(3000, 300), true, 127)
	small := startAll(t, l.only(), noDrops, "--ring-size=4KiB")
	normal := startOne(t, l.only(), noDrops)
	l.begin()
	time.Sleep(4 * time.Second)
	counted := l.end()
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

// TestFaultEndsLost: the records of connections' ends do not fit into the ring. Soon
// katrace does not count these connections among those that live any more.
func TestFaultEndsLost(t *testing.T) {
	n := pick(1000, 200)
	l := newLoad(t, n, true, 127)
	// With --all katrace counts connections by the records that it has read.
	all := startGated(t, l, false, "--all")
	l.begin()
	for _, b := range all {
		waitFor(t, time.Minute, "half of the connections", func() bool { return scrape(t, b.socket).sum("connections") > float64(n/2) })
		b.gate.Lock()
	}
	time.Sleep(3 * time.Second) // the pipes are full
	l.close()
	for _, b := range all {
		b.gate.Unlock()
		lost := uint64(0)
		waitFor(t, 2*time.Minute, "the connections to be forgotten", func() bool { return scrape(t, b.socket).sum("connections") == 0 })
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
