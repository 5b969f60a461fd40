// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"time"

	"katrace/internal/events"
)

// suspendedCases are those in which the timer fires and keepalive holds back.
func suspendedCases() []Case {
	watch := func(ctx context.Context, s *stage) error {
		if err := rest(ctx, 3300*time.Millisecond); err != nil {
			return err
		}
		return s.closeApp(true)
	}
	return []Case{{
		Name:   "unacked-data",
		About:  "Data is on its way: retransmission is in charge, and no probe is sent.",
		Staged: "data to a peer that drops everything",
		Expect: Expect{
			ResetsOut: exactly(1),
			Verdict:   events.VerdictSuspended, Timer: events.ReasonDataInFlight,
		},
		prepare: (*stage).silenceWithData,
		run:     watch,
	}, {
		Name:   "zero-window",
		About:  "The peer reads nothing and closed its window: there are zero-window probes, which are not keepalive.",
		Staged: "more data than the peer takes",
		Expect: Expect{
			ResetsOut: exactly(1), WindowProbes: true,
			Verdict: events.VerdictSuspended, Timer: events.ReasonDataInFlight,
		},
		receiveBuffer: 4096,
		prepare:       (*stage).overfill,
		run:           watch,
	}}
}
