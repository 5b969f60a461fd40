// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

func ends(change func(*events.Event)) func(*Outcome, *[]events.Event) {
	return nth(events.KindEnded, 0, change)
}

var liesAboutOtherEnds = []lie{
	{"data-retries2", full, without(events.KindEnded), "0 ended events, the connection ended so once"},
	{"data-retries2", full, with(events.KindEnded, nil), "2 ended events, the connection ended so once"},
	{"vanished", full, with(events.KindEnded, nil), "1 ended event: the connection did not end so"},
	{"forgotten", full, with(events.KindEnded, nil), "1 ended event: the connection did not end so"},
	{"abort", full, with(events.KindEnded, nil), "1 ended event: the connection did not end so"},
	{"idle-abort", full, with(events.KindPeerReset, nil), "1 peer_reset event: the connection did not end so"},
	{"data-retries2", full, ends(func(e *events.Event) { e.By = events.ByZeroWindow }), `ended event says by "zero_window", not "retransmission"`},
	{"window-retries2", full, ends(func(e *events.Event) { e.By = events.ByRetransmission }), `ended event says by "retransmission", not "zero_window"`},
	{"data-user-timeout", full, ends(func(e *events.Event) { e.Reason = events.ReasonCount }), `ended event says reason "count", not "user_timeout"`},
	{"window-user-timeout", full, ends(func(e *events.Event) { e.Reason = 0 }), `ended event says reason "", not "user_timeout"`},
	{"data-retries2", full, ends(func(e *events.Event) { e.Unacked++ }), "ended event says 101 bytes unacknowledged, not 100"},
	{"data-retries2", full, ends(func(e *events.Event) { e.Has &^= conn.HasUnacked }), "ended event says 100 bytes unacknowledged, not 100"},
	{"window-retries2", full, ends(func(e *events.Event) { e.Unacked = 0 }), "ended event says 0 bytes unacknowledged, not at least 1"},
	{"data-retries2", full, ends(func(e *events.Event) { e.Retransmits = 2 }), "ended event says 2 retransmits, the capture 3 to 4"},
	{"idle-abort", full, ends(func(e *events.Event) { e.Retransmits = 1 }), "ended event says 1 retransmits, the capture 0"},
	{"idle-abort", full, ends(func(e *events.Event) { e.Has &^= conn.HasIdleFor }), "does not say for how long the connection was idle"},
	{"idle-abort", full, ends(func(e *events.Event) { e.Inode = 0 }), "ended event without the inode"},
	{"data-retries2", full, ends(func(e *events.Event) { e.Errno = "" }), `ended event says errno "", the application read ETIMEDOUT`},
	{"idle-abort", full, ends(func(e *events.Event) { e.RST = events.RSTUnknownConnection }), `ended event says rst "unknown_connection", not "abort"`},
	{"idle-abort", noRST, ends(func(e *events.Event) { e.RST = events.RSTAbort }), `ended event says rst "abort", not ""`},
	{"idle-middlebox", full, ends(func(e *events.Event) { e.Verdict = events.VerdictAborted }), `the verdict is "aborted" in the end, not "forgotten"`},
	{"data-own-firewall", full, ends(func(e *events.Event) { e.By = events.ByPeer }), `ended event says by "peer", not "this_host"`},
	{"data-own-firewall", noRST, ends(func(e *events.Event) { e.By = events.ByThisHost }), `ended event says by "this_host", not "peer"`},
	{"destroyed", full, ends(func(e *events.Event) { e.By = 0 }), `ended event says by "", not "this_host"`},
}

func suspends(change func(*events.Event)) func(*Outcome, *[]events.Event) {
	return nth(events.KindSuspended, 0, change)
}

var liesAboutSuspension = []lie{
	{"unacked-data", full, without(events.KindSuspended), "no suspended event"},
	{"vanished", full, with(events.KindSuspended, nil), "1 suspended event, and keepalive was in charge throughout"},
	{"syn-sent", full, with(events.KindSuspended, nil), "1 suspended event, and keepalive was in charge throughout"},
	{"unacked-data", full, with(events.KindSuspended, func(e *events.Event) { e.WaitsFor = conn.WaitsRetransmission }), "suspended event 2 is about the same episode"},
	{"unacked-data", full, with(events.KindResumed, nil), "1 resumed event, and nothing was over"},
	{"data-resumes", full, without(events.KindResumed), "0 resumed events, keepalive was in charge again once"},
	{"unacked-data", full, suspends(func(e *events.Event) { e.WaitsFor = conn.WaitsWindowProbe }), `waits for "window_probe", not "retransmission"`},
	{"zero-window", full, suspends(func(e *events.Event) { e.WaitsFor = conn.WaitsRetransmission }), `waits for "retransmission", not "window_probe"`},
	{"unacked-data", full, suspends(func(e *events.Event) { e.Has &^= conn.HasDiesIn }), "does not say when the kernel gives up"},
	{"zero-window", full, suspends(func(e *events.Event) { e.Has |= conn.HasDiesIn }), "is never given up"},
	{"data-retries2", full, suspends(func(e *events.Event) { e.DiesIn += 4 * time.Second }), "it did after"},
	{"data-retries2", full, suspends(func(e *events.Event) { e.DiesIn -= time.Second }), "it did after"},
	{"data-user-timeout", full, suspends(func(e *events.Event) { e.DiesIn += 2 * time.Second }), "it did after"},
	{"window-user-timeout", full, suspends(func(e *events.Event) { e.DiesIn += 2 * time.Second }), "it did after"},
}
