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

// stateCases are the four states of a peer.
func stateCases() []Case {
	lateSetting := conn.Settings{Idle: 2 * time.Second, Interval: time.Second, Count: 3}
	return []Case{{
		Name:   "alive",
		About:  "The peer is up: it answers every probe.",
		Staged: "the peer answers",
		Expect: Expect{
			Counted: atLeast(3), Wire: atLeast(3), Answers: atLeast(3),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 3); err != nil {
				return err
			}
			if err := rest(ctx, 300*time.Millisecond); err != nil {
				return err
			}
			return s.closeBoth()
		},
	}, {
		Name:    "vanished",
		About:   "The peer crashed or is off: no probe is answered, and the kernel gives up one interval after the last.",
		Staged:  "the peer drops everything",
		Expect:  gaveUp,
		prepare: (*stage).silence,
	}, {
		Name:   "forgotten",
		About:  "The peer crashed and is up again: it does not know the connection and answers with RST.",
		Staged: "the peer loses its socket after an answer",
		Expect: Expect{
			Errno: unix.ECONNRESET, After: 2 * time.Second, End: ByPeer,
			Counted: atLeast(2), Wire: atLeast(2), Answers: atLeast(1),
			RST: events.RSTUnknownConnection, Verdict: events.VerdictForgotten, State: conn.TCPEstablished,
		},
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 1); err != nil {
				return err
			}
			if err := s.crash(); err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}, {
		Name:   "unreachable",
		About:  "A router says that the peer cannot be reached. The kernel drops what it says, and the application reads ETIMEDOUT.",
		Staged: "a router loses its route to the peer",
		Expect: gaveUp.but(func(e *Expect) {
			e.Verdict, e.Said, e.ICMP = events.VerdictUnreachable, nil, true
		}),
		network: routed,
		prepare: (*stage).loseFarRoute,
	}, {
		Name:   "ipv6-unreachable",
		About:  "The same as unreachable, over IPv6: the router's ICMPv6 error, which the kernel drops too.",
		Staged: "IPv6, a router loses its route to the peer",
		Family: conn.IPv6,
		Expect: gaveUp.but(func(e *Expect) {
			e.Verdict, e.Said, e.ICMP = events.VerdictUnreachable, nil, true
		}),
		network: routed6,
		prepare: (*stage).loseFarRoute,
	}, {
		Name:   "route-gone",
		About:  "The own route to the peer is gone: probes are counted, none leaves, and the application reads ETIMEDOUT.",
		Staged: "the own route is deleted",
		Expect: gaveUp.but(func(e *Expect) {
			e.Verdict, e.Said, e.SendError = events.VerdictUnreachable, nil, []string{"EHOSTUNREACH", "ENETUNREACH"}
			e.Wire, e.ResetsOut = exactly(0), exactly(0)
		}),
		network: pair,
		prepare: (*stage).loseRoute,
	}, {
		Name:    "late-on",
		About:   "Keepalive is switched on when the connection has been idle for longer than its idle time: the timer counts from then, so the first probe is late.",
		Staged:  "SO_KEEPALIVE after two idle times",
		Setting: lateSetting,
		Expect: Expect{
			Counted: atLeast(1), Wire: atLeast(1), Answers: atLeast(1),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		late: 2 * lateSetting.Idle,
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(s.untilAnswers(ctx, 1), rest(ctx, 300*time.Millisecond), s.closeBoth())
		},
	}}
}
