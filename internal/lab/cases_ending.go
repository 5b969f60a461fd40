// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// endingCases end in ways that look like keepalive's and are not.
func endingCases() []Case {
	// endedOtherwise is a connection with a peer that has answered once.
	endedOtherwise := Expect{
		Counted: atLeast(1), Wire: atLeast(1), Answers: atLeast(1), ResetsOut: exactly(1),
		Verdict: events.VerdictAlive, State: conn.TCPEstablished,
	}
	return []Case{{
		Name:   "abort",
		About:  "The application aborts: the RST is its own and not keepalive's.",
		Staged: "close with linger 0 after an answer",
		Expect: endedOtherwise,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 1); err != nil {
				return err
			}
			return s.closeApp(true)
		},
	}, {
		Name:   "unread-close",
		About:  "The application closes and leaves data unread: the RST is not keepalive's.",
		Staged: "close with unread data after an answer",
		Expect: endedOtherwise,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 1); err != nil {
				return err
			}
			s.reader.stop()
			if err := s.peer.write(1); err != nil {
				return err
			}
			if err := s.app.control(func(fd int) error { return await(fd, unix.POLLIN) }); err != nil {
				return err
			}
			return s.closeApp(false)
		},
	}, {
		// tcp_keepalive_timer sends this RST itself, with keepalive switched on
		// on the socket: the namespace's FIN timeout fell below TCP_TIMEWAIT_LEN
		// (60 s) while the timer ran for what is above it.
		Name:       "fin-wait2-orphan",
		About:      "A closed socket waits for the peer's FIN: the same timer resets it, and that is not keepalive.",
		Staged:     "close after an answer, the peer does not",
		Expect:     endedOtherwise,
		finTimeout: 64,
		run: func(ctx context.Context, s *stage) error {
			if err := orphan(ctx, s); err != nil {
				return err
			}
			if err := s.net.near.do(func() error { return sysctl("net.ipv4.tcp_fin_timeout", 1) }); err != nil {
				return err
			}
			return s.until(ctx, "the orphan's RST", func(c *Capture) bool { return c.ResetsOut > 0 })
		},
	}, {
		Name:   "fin-wait2-timeout",
		About:  "A closed socket waits for the peer's FIN: the same timer moves it to TIME_WAIT, without a word.",
		Staged: "close after an answer, the peer does not",
		Expect: endedOtherwise.but(func(e *Expect) {
			e.ResetsOut, e.Timer = exactly(0), events.ReasonFinWait2
		}),
		finTimeout: 64,
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(orphan(ctx, s), rest(ctx, 4500*time.Millisecond))
		},
	}}
}

// orphan closes the traced socket after an answer. The peer acknowledges that
// and does not close; the keepalive timer then runs for the FIN timeout less
// TCP_TIMEWAIT_LEN (tcp_close, tcp_rcv_state_process).
func orphan(ctx context.Context, s *stage) error {
	if err := s.untilAnswers(ctx, 1); err != nil {
		return err
	}
	if err := s.closeApp(false); err != nil {
		return err
	}
	return s.untilListed(ctx, conn.TCPFinWait2)
}
