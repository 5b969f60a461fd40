// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// linkCases are those in which this host's own side fails.
func linkCases() []Case {
	noWay := gaveUp.but(func(e *Expect) {
		e.Verdict, e.Said, e.SendError = events.VerdictUnreachable, nil, []string{"EHOSTUNREACH", "ENETUNREACH"}
		e.Wire, e.ResetsOut = exactly(0), exactly(0)
	})
	return []Case{{
		Name:    "link-down",
		About:   "The own interface is switched off: its routes go, probes are counted and none leaves.",
		Staged:  "the own interface is switched off",
		Expect:  noWay,
		network: pair,
		prepare: (*stage).linkDown,
	}, {
		Name:    "peer-netns-gone",
		About:   "The peer's network namespace goes away, as with a killed container, and the wire with it.",
		Staged:  "the peer's namespace is removed",
		Expect:  noWay,
		network: pair,
		prepare: (*stage).removePeer,
	}, {
		// With no carrier the queue is noop_qdisc, which drops and returns
		// NET_XMIT_CN; net_xmit_eval makes success of that.
		Name:   "no-carrier",
		About:  "The cable is pulled: the route stays, the kernel takes the probes for sent, and katrace can know no better.",
		Staged: "the own interface loses its carrier",
		Expect: gaveUp.but(func(e *Expect) {
			e.Swallowed, e.Wire, e.ResetsOut = true, exactly(0), exactly(0)
		}),
		network: pair,
		prepare: (*stage).pullPlug,
	}}
}

// socketCases are sockets of a special kind.
func socketCases() []Case {
	return []Case{{
		Name:   "repair",
		About:  "The socket is in TCP_REPAIR, as while CRIU saves it: its timer goes on, and the peer answers.",
		Staged: "TCP_REPAIR after an answer",
		Expect: Expect{
			Counted: atLeast(3), Wire: atLeast(3), Answers: atLeast(3),
			Verdict: events.VerdictAlive, State: events.StateEstablished,
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
		Setting: events.Settings{Idle: time.Second, Interval: time.Second, Count: 3,
			Inherited: events.SettingIdle | events.SettingInterval | events.SettingCount},
		Expect:  gaveUp.but(func(e *Expect) { e.Errno = 0 }),
		network: pair,
		needs:   needMPTCP,
		proto:   unix.IPPROTO_MPTCP,
		prepare: (*stage).goDark,
		run: func(ctx context.Context, s *stage) error {
			return s.until(ctx, "the subflow's RST", func(c *Capture) bool { return c.ResetsOut > 0 })
		},
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
