// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"testing"
	"time"
)

// TestFaultNetnsGone: of two namespaces that are traced one goes, sockets and
// all, under way. The other one's probes go on to be told, each of them.
func TestFaultNetnsGone(t *testing.T) {
	nativeOnly(t)
	goes, stays := newLoad(t, 100, true, 127), newLoad(t, 100, true, 127)
	r := start(t, goes.only(), stays.only(), noDrops)
	goes.begin()
	stays.begin()
	time.Sleep(2500 * time.Millisecond)
	goes.close()
	time.Sleep(2500 * time.Millisecond)
	counted := stays.end()
	var here, there uint64
	evs := r.stop()
	for i := range evs {
		switch evs[i].Netns {
		case stays.inum:
			here++
		case goes.inum:
			there++
		}
	}
	t.Logf("%d events of the one that stays, the kernel counts %d; %d of the one that goes; %s", here, counted, there, lastLine(r.stderr.String()))
	if there == 0 {
		t.Errorf("no event of the namespace that goes: this test sees nothing")
	}
	if missed := tallyOf(evs).lost.Missed; here > counted || counted-here > missed {
		t.Errorf("%d probes and %d missed, the kernel counts %d", here, missed, counted)
	}
}
