// SPDX-License-Identifier: BSD-2-Clause

package lab

import "katrace/internal/events"

// liesAboutRST are about who sent the RST that ended a connection.
var liesAboutRST = []lie{
	{"peer-aborts", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.RST = events.RSTUnknownConnection }), `peer_reset event says rst "unknown_connection", not "abort"`},
	{"peer-aborts", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.RST = 0 }), `peer_reset event says rst "", not "abort"`},
	{"peer-aborts", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Verdict = events.VerdictForgotten }), `the verdict is "forgotten" in the end, not "aborted"`},
	{"peer-aborts", noRST, nth(events.KindPeerReset, 0, func(e *events.Event) { e.RST = events.RSTAbort }), `peer_reset event says rst "abort", not ""`},
	{"peer-aborts", noRST, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Verdict = events.VerdictAborted }), `the verdict is "aborted" in the end, not "reset"`},
	{"peer-aborts", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Unanswered = 0 }), "peer_reset event says 0 unanswered, not 1"},
	{"forgotten", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.RST = events.RSTAbort }), `peer_reset event says rst "abort", not "unknown_connection"`},
	{"forgotten", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Verdict = events.VerdictReset }), `the verdict is "reset" in the end, not "forgotten"`},
	{"forgotten", noRST, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Verdict = events.VerdictForgotten }), `the verdict is "forgotten" in the end, not "reset"`},
	{"vanished", full, nth(events.KindReset, 0, func(e *events.Event) { e.RST = events.RSTAbort }), `reset event says rst "abort", not ""`},
	{"own-firewall", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.RST = events.RSTUnknownConnection }), `peer_reset event says rst "unknown_connection", not "this_host"`},
	{"own-firewall", full, nth(events.KindPeerReset, 0, func(e *events.Event) { e.Verdict = events.VerdictForgotten }), `the verdict is "forgotten" in the end, not "reset"`},
	{"own-firewall", full, without(events.KindPeerReset), "0 peer_reset events, the connection ended so once"},
	{"own-firewall", full, nth(events.KindProbe, 1, func(e *events.Event) { e.SendError = "" }), "say that the segment left, 1 captured"},
	{"own-firewall", full, nth(events.KindProbe, 1, func(e *events.Event) { e.SendError = "EHOSTUNREACH" }), "probe 2 says EHOSTUNREACH"},
	{"own-firewall", noSendErrors, nth(events.KindProbe, 1, func(e *events.Event) { e.SendError = "EPERM" }), "probe 2 says EPERM, which the backend cannot know"},
	{"own-firewall", full, saw(func(o *Outcome) { o.Captured.ResetsIn = 1 }), "1 resets captured from the peer"},
	{"peer-aborts", full, saw(func(o *Outcome) { o.Captured.RST = events.RSTUnknownConnection }), `the captured reset is "unknown_connection", not "abort"`},
	{"windows-probe", full, saw(func(o *Outcome) { o.Captured.Probed = o.Captured.Probed[1:] }), "1 probes of the peer captured, not 2"},
}
