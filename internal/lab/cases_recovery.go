// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// recoveryCases are those in which things get better.
func recoveryCases() []Case {
	return []Case{{
		Name:    "recovers",
		About:   "The peer is silent for two probes and answers the third: the count starts over.",
		Staged:  "silent for two probes, then answers",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 9},
		Expect: Expect{
			Counted: atLeast(4), Wire: atLeast(4), Answers: atLeast(2),
			Verdict: events.VerdictAlive, Said: []events.Verdict{events.VerdictSilent, events.VerdictAlive},
			State: conn.TCPEstablished,
		},
		prepare: (*stage).silence,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 2); err != nil {
				return err
			}
			if err := s.speak(); err != nil {
				return err
			}
			if err := s.untilAnswers(ctx, 2); err != nil {
				return err
			}
			return s.closeBoth()
		},
	}, {
		Name:   "congested",
		About:  "The own queue is full: the kernel tries again every half second and never gives up. Then there is room, and the peer answers.",
		Staged: "the own queue is full for 3 tries",
		Expect: Expect{
			Counted: atLeast(5), Wire: atLeast(2), Answers: atLeast(2),
			Verdict: events.VerdictAlive, Said: []events.Verdict{events.VerdictCongested, events.VerdictAlive},
			SendError: []string{events.Congested}, State: conn.TCPEstablished,
		},
		prepare: (*stage).blockQueue,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilCounted(ctx, 3); err != nil {
				return err
			}
			if err := s.freeQueue(); err != nil {
				return err
			}
			if err := s.untilAnswers(ctx, 2); err != nil {
				return err
			}
			return s.closeBoth()
		},
	}}
}
