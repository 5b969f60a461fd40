// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"time"

	"katrace/internal/conn"
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
	}, {
		Name:   "data-resumes",
		About:  "Data is retransmitted until the peer hears again: then keepalive is in charge again.",
		Staged: "data to a peer that drops everything, until 4 retransmits",
		Expect: Expect{
			Counted: atLeast(1), Wire: atLeast(1), Answers: atLeast(1), Resumes: true,
			Verdict: events.VerdictAlive, Said: []events.Verdict{events.VerdictSuspended, events.VerdictAlive},
			Timer: events.ReasonDataInFlight, State: conn.TCPEstablished,
		},
		prepare: (*stage).silenceWithData,
		run: func(ctx context.Context, s *stage) error {
			err := s.until(ctx, "4 retransmits", func(c *Capture) bool { return c.Retransmits >= 4 })
			if err != nil {
				return err
			}
			return errors.Join(s.speak(), s.untilAnswers(ctx, 1))
		},
	}}
}
