// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// probedCases are those in which the peer's keepalive probes the traced socket.
func probedCases() []Case {
	return []Case{{
		// The byte is not looked at: tcp_data_queue drops it as old and answers.
		// Without it tcp_validate_incoming does.
		Name:   "windows-probe",
		About:  "The peer's keepalive probes this end: once with a byte of garbage, as Windows and the old BSDs do, and once without, as Linux does.",
		Staged: "probes in the peer's name, with a byte and without",
		Expect: Expect{
			Counted: atLeast(1), Wire: atLeast(1), Answers: atLeast(1), Probed: exactly(2),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 1); err != nil {
				return err
			}
			return errors.Join(s.injectProbe(ctx, 1), s.injectProbe(ctx, 0), s.closeBoth())
		},
	}}
}
