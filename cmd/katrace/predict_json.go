// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strconv"

	"katrace/internal/inventory"
)

// mostProbes is how many probes the JSON lists one by one. TCP_KEEPCNT never
// allows so many, a TCP_USER_TIMEOUT of weeks allows millions.
const mostProbes = 1000

// appendPrediction is the timeline as one JSON object: times in milliseconds
// since the last segment from the peer, "latest" with the timer's slack; "n" is
// by the kernel's count. "more_probes" are those after the first mostProbes.
func appendPrediction(b []byte, o *predictOptions, p *prediction) []byte {
	s := &p.settings
	b = append(b, `{"v":1`...)
	if p.socket != nil {
		b = appendAddrPort(b, "local", p.socket.Local)
		b = appendAddrPort(b, "remote", p.socket.Remote)
		b = appendTime(b, "idle_for_ms", p.socket.IdleFor, true)
		b = appendNumber(b, "unanswered", uint64(p.socket.Unanswered), p.socket.Has&inventory.HasUnanswered != 0)
	}
	if p.armed() {
		b = append(b, `,"armed_before_change":true`...)
	}
	view := inventory.Socket{Settings: *s, Own: p.own, Has: inventory.HasSettings}
	b = appendKeepalive(b, &view)
	b = append(b, `,"probes":[`...)
	for i := range min(p.line.Probes, mostProbes) {
		if i > 0 {
			b = append(b, ',')
		}
		step := p.line.Step(i)
		b = strconv.AppendInt(append(b, `{"n":`...), int64(step.Probe), 10)
		b = appendTime(b, "at_ms", step.At, true)
		b = append(appendTime(b, "latest_ms", step.Latest, true), '}')
	}
	b = append(b, ']')
	b = appendNumber(b, "more_probes", uint64(p.line.Probes-mostProbes), p.line.Probes > mostProbes)
	end := p.line.End()
	b = append(b, `,"gives_up":{"at_ms":`...)
	b = strconv.AppendInt(b, end.At.Milliseconds(), 10)
	b = appendTime(b, "latest_ms", end.Latest, true)
	b = appendText(b, "reason", p.reason().String())
	b = append(appendText(b, "errno", "ETIMEDOUT"), '}')
	if m := o.idleLimit; m.Forgets > 0 {
		b = strconv.AppendInt(append(b, `,"idle_limit":{"ms":`...), m.Forgets.Milliseconds(), 10)
		b = appendText(b, "name", m.Name)
		b = append(appendText(b, "verdict", m.Judge(p.silence(), o.hz).String()), '}')
	}
	return append(b, '}')
}
