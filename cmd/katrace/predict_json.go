// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strconv"

	"katrace/internal/inventory"
)

// appendPrediction is the timeline as one JSON object: times in milliseconds
// since the last segment from the peer, "latest" with the timer's slack.
func appendPrediction(b []byte, o *predictOptions, p *prediction) []byte {
	s := &p.settings
	b = append(b, `{"v":1`...)
	if p.socket != nil {
		b = appendAddrPort(b, "local", p.socket.Local)
		b = appendAddrPort(b, "remote", p.socket.Remote)
		b = appendTime(b, "idle_for_ms", p.idleFor, true)
		b = appendNumber(b, "unanswered", uint64(p.unanswered), true)
	}
	view := inventory.Socket{Settings: *s, Own: p.own, Has: inventory.HasSettings}
	b = appendKeepalive(b, &view)
	b = append(b, `,"probes":[`...)
	for i, step := range p.steps[:len(p.steps)-1] {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"n":`...), int64(step.Probe), 10)
		b = appendTime(b, "at_ms", step.At, true)
		b = append(appendTime(b, "latest_ms", step.Latest, true), '}')
	}
	end := p.end()
	b = append(b, `],"gives_up":{"at_ms":`...)
	b = strconv.AppendInt(b, end.At.Milliseconds(), 10)
	b = appendTime(b, "latest_ms", end.Latest, true)
	b = appendText(b, "reason", p.reason().String())
	b = append(appendText(b, "errno", "ETIMEDOUT"), '}')
	if l := o.idleLimit; l.after > 0 {
		b = strconv.AppendInt(append(b, `,"idle_limit":{"ms":`...), l.after.Milliseconds(), 10)
		b = appendText(b, "name", l.name)
		b = append(appendText(b, "verdict", p.limitVerdict(l, o.jiffy)), '}')
	}
	return append(b, '}')
}
