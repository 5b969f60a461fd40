// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"strconv"

	"katrace/internal/conn"
)

// mostProbes is how many probes the JSON lists one by one. TCP_KEEPCNT never
// allows so many, a TCP_USER_TIMEOUT of weeks allows millions.
const mostProbes = 1000

// AppendJSON appends the timeline as one JSON object: times in milliseconds
// since the last segment from the peer, "latest" with the timer's slack; "n" is
// by the kernel's count. "more_probes" are those after the first mostProbes.
func (p *Prediction) AppendJSON(b []byte) []byte {
	s := &p.Settings
	b = append(b, `{"v":1`...)
	if p.Socket != nil {
		ends := conn.State{Local: p.Socket.Local, Remote: p.Socket.Remote}
		b = conn.AppendMillis(ends.AppendKeys(b), "idle_for_ms", p.Socket.IdleFor)
		if p.Socket.Has&conn.HasUnanswered != 0 {
			b = conn.AppendUint(b, "unanswered", uint64(p.Socket.Unanswered))
		}
		b = p.Socket.AppendArmed(b)
	}
	b = append(s.AppendKeys(append(b, `,"keepalive":{`...)), '}')
	if p.stalled() {
		b = p.appendStalledKeys(b)
	} else {
		b = p.appendTimelineKeys(b)
	}
	if m := p.Limit; m.Forgets > 0 {
		b = strconv.AppendInt(append(b, `,"idle_limit":{"ms":`...), m.Forgets.Milliseconds(), 10)
		b = conn.AppendText(b, "name", m.Name)
		b = append(conn.AppendText(b, "verdict", m.Judge(p.silence(), p.HZ).String()), '}')
	}
	return append(b, '}')
}

func (p *Prediction) appendTimelineKeys(b []byte) []byte {
	b = append(b, `,"probes":[`...)
	for i := range min(p.Line.Probes, mostProbes) {
		if i > 0 {
			b = append(b, ',')
		}
		step := p.Line.Step(i)
		b = strconv.AppendInt(append(b, `{"n":`...), int64(step.Probe), 10)
		b = conn.AppendMillis(b, "at_ms", step.At)
		b = append(conn.AppendMillis(b, "latest_ms", step.Latest), '}')
	}
	b = append(b, ']')
	if more := p.Line.Probes - mostProbes; more > 0 {
		b = conn.AppendUint(b, "more_probes", uint64(more))
	}
	end := p.Line.End()
	b = append(b, `,"gives_up":{"at_ms":`...)
	b = strconv.AppendInt(b, end.At.Milliseconds(), 10)
	b = conn.AppendMillis(b, "latest_ms", end.Latest)
	b = conn.AppendWord(b, "reason", p.reason().String())
	return append(conn.AppendText(b, "errno", "ETIMEDOUT"), '}')
}
