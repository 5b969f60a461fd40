// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// resetCases end with a RST while a probe is out, and not because the peer does
// not know the connection.
func resetCases() []Case {
	return []Case{{
		Name:    "peer-aborts",
		About:   "A probe is lost; before the next one the peer's application aborts. Its RST has the ACK flag: the peer knew the connection.",
		Staged:  "the peer drops a probe, then closes with linger 0",
		Setting: conn.Settings{Idle: time.Second, Interval: 30 * time.Second, Count: 3}, // no second probe, however slow the machine
		Expect: Expect{
			Errno: unix.ECONNRESET, After: time.Second, End: ByPeer, RST: events.RSTAbort,
			Counted: exactly(1), Wire: exactly(1),
			Verdict: events.VerdictAborted, State: conn.TCPEstablished,
		},
		prepare: (*stage).silence,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 1); err != nil {
				return err
			}
			err := s.peer.close() // SO_LINGER is set
			s.peer = nil
			if err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}, {
		Name:   "own-firewall",
		About:  "After an answered probe this host's own firewall refuses the next one and resets the connection in the peer's name: nothing of it is on the wire.",
		Staged: "this host's firewall rejects with a TCP reset",
		Expect: Expect{
			Errno: unix.ECONNRESET, After: 2 * time.Second, End: ByHost, RST: events.RSTThisHost,
			Counted: atLeast(2), Wire: atLeast(1), Answers: atLeast(1),
			Verdict: events.VerdictReset, SendError: []string{"EPERM"}, State: conn.TCPEstablished,
		},
		network: pair, // on lo the RST would be captured as if the peer had sent it
		needs:   needReject,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 1); err != nil {
				return err
			}
			if err := s.net.near.do(func() error { return rejectOut(s.remote.Port()) }); err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}}
}
