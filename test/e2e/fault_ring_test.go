// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
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
