// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"testing"
	"time"
)

// TestFaultProcessorGone: a processor goes offline under way, with its timers,
// and comes back. Each probe is told all the same.
func TestFaultProcessorGone(t *testing.T) {
	if !emulated() {
		t.Skip("processors are taken offline in test/vm's guests only")
	}
	const online = "/sys/devices/system/cpu/cpu1/online"
	set := func(to string) {
		t.Helper()
		if err := os.WriteFile(online, []byte(to), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(online); err != nil {
		t.Skipf("this kernel takes no processor offline: %v", err)
	}
	defer set("1")
	l := newLoad(t, 200, true, 127)
	all := startAll(t, l.only(), noDrops)
	l.begin()
	time.Sleep(1500 * time.Millisecond)
	set("0")
	time.Sleep(2500 * time.Millisecond)
	set("1")
	time.Sleep(1500 * time.Millisecond)
	counted := l.end()
	for _, r := range all {
		if got := r.check(l, counted); got.lost.Ring > 0 {
			t.Errorf("%s: records are lost: %+v", r.by, got.lost)
		}
	}
}
