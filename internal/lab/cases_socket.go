// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// socketCases are sockets of a special kind.
func socketCases() []Case {
	return []Case{{
		Name:   "repair",
		About:  "The socket is in TCP_REPAIR, as while CRIU saves it: its timer goes on, and the peer answers.",
		Staged: "TCP_REPAIR after an answer",
		Expect: Expect{
			Counted: atLeast(3), Wire: atLeast(3), Answers: atLeast(3),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(
				s.untilAnswers(ctx, 1),
				s.app.set(unix.IPPROTO_TCP, unix.TCP_REPAIR, 1),
				s.untilAnswers(ctx, 3),
				rest(ctx, 300*time.Millisecond),
			)
		},
	}, {
		Name:   "mptcp",
		About:  "A subflow of MPTCP is given up as any connection is; the application, whose socket may have others, is told nothing.",
		Staged: "MPTCP, the peer's host drops everything",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 3,
			Inherited: conn.SettingIdle | conn.SettingInterval | conn.SettingCount},
		Expect:  gaveUp.but(func(e *Expect) { e.Errno = 0 }),
		network: pair,
		needs:   needMPTCP,
		proto:   unix.IPPROTO_MPTCP,
		prepare: (*stage).goDark,
		run: func(ctx context.Context, s *stage) error {
			return s.until(ctx, "the subflow's RST", func(c *Capture) bool { return c.ResetsOut > 0 })
		},
	}, {
		Name:   "mptcp-data",
		About:  "A subflow of MPTCP ends by retransmission; the application, whose socket may have others, is told nothing.",
		Staged: "MPTCP, data to a host that drops everything, tcp_retries2 3",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 3,
			Inherited: conn.SettingIdle | conn.SettingInterval | conn.SettingCount},
		Expect: Expect{
			End: ByOther, By: events.ByRetransmission, Reason: events.ReasonCount, Unacked: exactly(100),
			Verdict: events.VerdictTimedOut, Timer: events.ReasonDataInFlight, After: 3 * time.Second, // tcp_model_timeout(3)
		},
		network:  pair,
		retries2: 3,
		needs:    needMPTCP,
		proto:    unix.IPPROTO_MPTCP,
		prepare:  func(s *stage) error { return errors.Join(s.goDark(), s.app.write(100)) },
		run:      func(ctx context.Context, s *stage) error { return s.untilUnlisted(ctx) },
	}}
}

// needMPTCP says what this kernel's MPTCP lacks.
func needMPTCP() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) {
		return fmt.Errorf("no MPTCP: %w", ErrLacking)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ); errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("MPTCP before 5.16 does not say what is unacknowledged (SIOCOUTQ): %w", ErrLacking)
	}
	return nil
}
