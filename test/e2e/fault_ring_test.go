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
// lost are together the kernel's count. The other one shows them all.
func TestFaultRing(t *testing.T) {
	exactly(t, func() string {
		l := newLoad(t, pick(3000, 300), true, 127)
		defer l.close()
		small, normal := start(t, l.only(), "--ring-size=4KiB"), start(t, l.only())
		l.begin()
		time.Sleep(time.Duration(pick(4, 6)) * time.Second)
		counted := l.end()
		for _, r := range []*run{small, normal} {
			got := tallyOf(r.stop())
			t.Logf("the kernel counts %d probes; %+v; %s", counted, got, lastLine(r.stderr.String()))
			if got.all() != counted || counted == 0 {
				return fmt.Sprintf("%+v is %d probes, the kernel counts %d", got, got.all(), counted)
			}
			switch {
			case r == normal && got.lost.Ring != 0:
				t.Errorf("lost with the default ring: %+v", got)
			case r == small && got.lost.Ring == 0:
				t.Errorf("nothing lost with a ring of 4 KiB: this test sees nothing")
			case r == small && !strings.Contains(lastLine(r.stderr.String()), fmt.Sprintf(" %d records, the ring buffer was full", got.lost.Ring)):
				t.Errorf("the lost events say %+v, the summary %q", got.lost, lastLine(r.stderr.String()))
			}
		}
		return ""
	})
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
