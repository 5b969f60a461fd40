// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// liesAboutHeard are about a peer that is heard by something else than an answer.
var liesAboutHeard = []lie{
	{"stray-data", full, nth(events.KindAnswer, 0, func(e *events.Event) {
		e.RTT, e.RTTExact, e.Has = 200*time.Millisecond, true, e.Has|events.HasRTT
	}), "answer 1 says a round trip of 200ms, and the peer sent data by itself"},
	{"stray-data", lateAnswers, nth(events.KindAnswer, 0, func(e *events.Event) {
		e.RTT, e.Has = 200*time.Millisecond, e.Has|events.HasRTT
	}), "answer 1 says a round trip of 200ms, and the peer sent data by itself"},
	{"stray-data", full, nth(events.KindAnswer, 1, func(e *events.Event) { e.Has, e.RTTExact = e.Has&^events.HasRTT, false }), "answer 2 does not say its round trip"},
	{"alive", lateAnswers, nth(events.KindAnswer, 0, func(e *events.Event) { e.Has &^= events.HasRTT }), "answer 1 does not say its round trip"},
	{"stray-data", full, nth(events.KindAnswer, 0, func(e *events.Event) { e.Time = e.Time.Add(time.Second) }), "answer 1 says 1s later than the capture"},
	{"stray-data", full, nth(events.KindProbe, 1, func(e *events.Event) { e.Unanswered = 2 }), "probe 2 says 2 unanswered, not 1"},
	{"probes-ignored", full, nth(events.KindAnswer, 0, func(e *events.Event) {
		e.RTT, e.Has = 10*time.Second, e.Has|events.HasRTT
	}), "answer 1 says a round trip of 10s, the capture 200ms"},
	{"probes-ignored", full, nth(events.KindProbe, 2, func(e *events.Event) { e.Unanswered = 3 }), "probe 3 says 3 unanswered, not 1"},
	{"probes-ignored", full, nth(events.KindProbe, 6, func(e *events.Event) { e.Verdict = 0 }), `probe 7 says verdict "", 5 unanswered since the peer was heard`},
	{"heard-by-data", full, nth(events.KindProbe, 3, func(e *events.Event) { e.Unanswered = 1 }), "probe 4 says 1 unanswered, not 4"},
	{"heard-by-data", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Unanswered = 0 }), "timer event says 0 unanswered, not 3"},
	{"heard-by-data", full, nth(events.KindReset, 0, func(e *events.Event) { e.Unanswered = 2 }), "reset event says 2 unanswered, not 5"},
	{"heard-by-data", full, nth(events.KindProbe, 3, func(e *events.Event) { e.Verdict = events.VerdictSilent }), `probe 4 says verdict "silent", 1 unanswered since the peer was heard`},
	{"heard-by-data", full, nth(events.KindProbe, 4, func(e *events.Event) { e.Verdict = 0 }), `probe 5 says verdict "", 2 unanswered since the peer was heard`},
	{"heard-by-data", full, nth(events.KindTimer, 0, func(e *events.Event) { e.DiesIn += 3 * time.Second }), "timer 1 says that the kernel gives up in 5.2s, it did after 2.2s"},
	{"heard-by-data", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Has &^= conn.HasDiesIn }), "timer 1 does not say when the kernel gives up"},
	{"heard-by-data", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Has &^= conn.HasNext }), "timer 1 does not say when the timer fires next"},
	{"heard-by-data", full, nth(events.KindTimer, 0, func(e *events.Event) { e.Next = time.Second }), "timer 1 says that the timer fires in 1s, it fired after 200ms"},
	{"heard-by-data", lateAnswers, nth(events.KindAnswer, 0, func(e *events.Event) { e.DiesIn += 3 * time.Second }), "answer 1 says that the kernel gives up in 5.2s, it did after 2.2s"},
	{"heard-by-data", lateAnswers, nth(events.KindAnswer, 0, func(e *events.Event) { e.Next = 2 * time.Second }), "answer 1 says that the timer fires in 2s"},
	{"heard-by-data", full, nth(events.KindProbe, 3, func(e *events.Event) { e.DiesIn += 3 * time.Second }), "probe 4 says that the kernel gives up in 5s, it did after 2s"},
	{"vanished", full, nth(events.KindEnabled, 0, func(e *events.Event) { e.DiesIn = 10 * time.Second }), "enabled 1 says that the kernel gives up in 10s, it did after 4s"},
	{"vanished", full, nth(events.KindEnabled, 0, func(e *events.Event) { e.Next = 2 * time.Second }), "enabled 1 says that the timer fires in 2s, it fired after 1s"},
	{"beyond-255", full, nth(events.KindProbe, 255, func(e *events.Event) { e.Unanswered = 0 }), "probe 256 says 0 unanswered, not 256"},
	{"beyond-255", full, nth(events.KindProbe, 299, func(e *events.Event) { e.Verdict = 0 }), `probe 300 says verdict "", 300 unanswered`},
	{"vanished", full, nth(events.KindProbe, 0, func(e *events.Event) { e.Verdict = events.VerdictSilent }), `probe 1 says verdict "silent", 1 unanswered`},
	{"windows-probe", full, without(events.KindProbed), "0 probed events, and the peer sent 2"},
	{"windows-probe", full, with(events.KindProbed, nil), "3 probed events, and the peer sent 2"},
	{"windows-probe", noProbed, with(events.KindProbed, nil), "1 probed event, and the peer sent 0 that the backend can know"},
	{"windows-probe", noProbedByte, with(events.KindProbed, nil), "2 probed events, and the peer sent 1 that the backend can know"},
	{"windows-probe", full, nth(events.KindProbed, 1, func(e *events.Event) { e.Time = e.Time.Add(time.Second) }), "probed event 2 says 1s later than the capture"},
}
