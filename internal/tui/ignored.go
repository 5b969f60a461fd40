// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// ignored is whether something ignores the probes of a peer that is there: its
// data comes, and no answer to a probe ever does.
type ignored struct {
	byData   uint32 // silences of two probes or more that data ended, and nothing else
	answered bool   // an answer that may have been one to a probe
}

// enough is how many such silences are no chance: a path that fails for a while
// and comes back answers the probes before and after.
const enough = 3

// answer takes the peer's first sign after a probe. An answer to a probe clears
// the kernel's count of unanswered ones (tcp_ack); where it is not cleared, only
// data was heard.
func (i *ignored) answer(e *events.Event) {
	switch {
	case e.Has&events.HasRTT != 0 || e.Has&conn.HasUnanswered == 0 || e.Unanswered == 0:
		i.answered = true
	case e.AfterProbes > 1: // the first of them had an interval's time
		i.byData++
	}
}

func (i *ignored) certain() bool { return i.byData >= enough && !i.answered }

// adviseIgnored says so, where nothing that was seen explains it.
func adviseIgnored(a []string, f *facts) []string {
	if !f.probesIgnored() {
		return a
	}
	return append(a, fmt.Sprintf("%d times the peer left probes unanswered and then sent data, and it never answered a probe: the peer is there, and something on the way drops keepalive probes (a user-mode network stack, a proxy or a firewall). The kernel may give up a peer that is alive. Let the application send something while it is idle, or switch keepalive off.", f.ignored.byData))
}

// probesIgnored says that the peer is there all the same.
func (f *facts) probesIgnored() bool {
	return f.ignored.certain() && f.drop == nil && f.icmpAt == 0 && f.sendError == ""
}
