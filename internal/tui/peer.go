// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"math"
	"time"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// peerProbes are the keepalive probes that the peer was seen to send.
type peerProbes struct {
	last     nanos // 0: none was seen
	n        uint32
	gap      millis // between the two latest; 0: one was seen
	least    millis // the shortest and the longest between two
	greatest millis
}

// millis is a time in milliseconds, seven weeks at most.
type millis uint32

func inMillis(d time.Duration) millis {
	return millis(min(max(d.Round(time.Millisecond)/time.Millisecond, 0), math.MaxUint32))
}

func (m millis) span() time.Duration { return time.Duration(m) * time.Millisecond }

func (p *peerProbes) add(at nanos) {
	if p.n > 0 {
		p.gap = inMillis(time.Duration(at - p.last))
		if p.n == 1 || p.gap < p.least {
			p.least = p.gap
		}
		p.greatest = max(p.greatest, p.gap)
	}
	p.n++
	p.last = at
}

// steady tells whether the gaps differ by no more than a kernel's timers do. The
// peer's tick rate is not known.
func (p *peerProbes) steady() bool {
	const unknown jiffies.HZ = 0
	return (p.greatest - p.least).span() <= max(unknown.Slack(p.least.span()), 100*time.Millisecond)
}

// words say how often the peer probes, as far as was seen. Its settings are
// not known: data between two probes makes the gap longer, and an answer of
// ours that got lost makes it the peer's TCP_KEEPINTVL.
func (p *peerProbes) words() string {
	switch {
	case p.n == 1:
		return "The peer probes us (one probe seen: how often shows with the next)"
	case p.steady():
		return fmt.Sprintf("The peer probes us every %s (%d probes seen)", about(p.gap.span()), p.n)
	}
	return fmt.Sprintf("The peer probes us, %s to %s apart (%d probes seen, data between two makes it longer)", about(p.least.span()), about(p.greatest.span()), p.n)
}

// about writes a time between two probes without what the timers' slack makes of it.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return conn.Exact(d.Round(100 * time.Millisecond))
	case d < 10*time.Minute:
		return conn.Exact(d.Round(time.Second))
	}
	return conn.Exact(d.Round(time.Minute))
}
