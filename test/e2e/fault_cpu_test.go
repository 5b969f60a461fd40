// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
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
	exactly(t, func() string {
		l := newLoad(t, 200, true, 127)
		defer l.close()
		r := start(t, l.only())
		l.begin()
		time.Sleep(1500 * time.Millisecond)
		set("0")
		time.Sleep(2500 * time.Millisecond)
		set("1")
		time.Sleep(1500 * time.Millisecond)
		counted := l.end()
		got := tallyOf(r.stop())
		t.Logf("the kernel counts %d probes; %+v", counted, got)
		if got.lost.Ring > 0 {
			t.Errorf("records are lost: %+v", got.lost)
		}
		if got.all() != counted || counted == 0 {
			return fmt.Sprintf("%+v is %d probes, the kernel counts %d", got, got.all(), counted)
		}
		return ""
	})
}
