// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// suspended tells what keepalive waits for, and when the kernel gives up if
// nothing changes.
func (t *Tracker) suspended(r *loader.Record, e *Event) {
	e.WaitsFor, e.Verdict = conn.Waiting(r.Waits), VerdictSuspended
	e.Retransmits, e.Unacked = int(r.Retransmits), r.Unacked
	e.Next, e.Has = e.Keepalive.Idle, e.Has|conn.HasUnacked|conn.HasNext
	s := conn.Stall{
		WaitsFor: e.WaitsFor, HZ: t.clock.hz, Retries2: int(r.Retries2), UserTimeout: e.Keepalive.UserTimeout,
		Since: time.Duration(r.Since) * time.Millisecond, Now: r.Now, Expires: r.Expires, Level: r.Level, RTO: r.Rto, RTOMax: r.RtoMax,
	}
	if dies, sure := s.DiesIn(); sure {
		e.DiesIn, e.Has = dies, e.Has|conn.HasDiesIn
	}
}

var resumedWords = [...]string{
	0:                        "keepalive is in charge again",
	conn.WaitsRetransmission: "the data is acknowledged, keepalive is in charge again",
	conn.WaitsWindowProbe:    "the peer's window is open, keepalive is in charge again",
}

func appendSuspendedWords(dst []byte, e *Event) []byte {
	if e.WaitsFor == conn.WaitsWindowProbe {
		dst = append(dst, "the peer's receive window is closed, "...)
		dst = append(conn.AppendCount(dst, uint64(e.Unacked), "byte"), " wait: keepalive has no say"...)
	} else {
		dst = append(conn.AppendCount(dst, uint64(e.Unacked), "byte"), " unacknowledged, "...)
		dst = append(conn.AppendCount(dst, uint64(e.Retransmits), "retransmit"), ": keepalive has no say"...)
	}
	switch {
	case e.Has&conn.HasDiesIn != 0:
		dst = conn.AppendSpan(append(dst, ", gives up in "...), e.DiesIn)
	case e.Endless():
		dst = append(dst, ", not given up as long as the peer answers window probes"...)
	}
	return dst
}
