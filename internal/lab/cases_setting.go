// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"net/netip"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// settingCases are a vanished peer under other settings and addresses.
func settingCases() []Case {
	return []Case{{
		Name:    "user-timeout",
		About:   "TCP_USER_TIMEOUT decides: the kernel gives up at the first firing after it, whatever TCP_KEEPCNT says.",
		Staged:  "TCP_USER_TIMEOUT 2.8s, the peer drops everything",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 9, UserTimeout: userTimeout},
		Expect: gaveUp.but(func(e *Expect) {
			e.Reason, e.After = events.ReasonUserTimeout, 3*time.Second
			e.Counted, e.Wire = exactly(2), exactly(2)
		}),
		prepare: (*stage).silence,
	}, {
		Name:   "inherited",
		About:  "The socket sets SO_KEEPALIVE and nothing else: idle, interval and count are the namespace's sysctls.",
		Staged: "settings by sysctl, the peer drops everything",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 3,
			Inherited: conn.SettingIdle | conn.SettingInterval | conn.SettingCount},
		Expect:  gaveUp,
		prepare: (*stage).silence,
	}, {
		Name:    "ipv6-vanished",
		About:   "The same as vanished, over IPv6.",
		Staged:  "IPv6, the peer drops everything",
		Family:  conn.IPv6,
		Expect:  gaveUp,
		network: loopback(loopback6),
		prepare: (*stage).silence,
	}, {
		Name:    "mapped-vanished",
		About:   "The same as vanished, with an IPv6 socket that talks IPv4.",
		Staged:  "IPv4-mapped, the peer drops everything",
		Family:  conn.IPv6Mapped,
		Expect:  gaveUp,
		network: loopback(netip.MustParseAddr("::ffff:127.0.0.1")),
		prepare: (*stage).silence,
	}, {
		Name:   "half-closed",
		About:  "The application has shut down its writing side, then the peer vanished: FIN_WAIT2, and keepalive works.",
		Staged: "shutdown, then the peer drops everything",
		Expect: gaveUp.but(func(e *Expect) { e.State = conn.TCPFinWait2 }),

		prepare: (*stage).halfClose,
	}, {
		// The user timeout keeps the kernel from giving up by the count. The lab ends
		// it: how many ticks a machine manages in a given time is not known.
		Name:   "beyond-255",
		About:  "More than 255 probes are unanswered, which the kernel counts in 8 bits: an interval of 0 means at every tick.",
		Staged: "interval 0 by sysctl, long user timeout, the peer drops everything",
		Setting: conn.Settings{Idle: time.Second, Count: 3, UserTimeout: time.Minute,
			Inherited: conn.SettingInterval},
		Expect: Expect{
			Counted: atLeast(300), Wire: atLeast(300), ResetsOut: exactly(1),
			Verdict: events.VerdictSilent, State: conn.TCPEstablished,
		},
		prepare: (*stage).silence,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 300); err != nil {
				return err
			}
			return s.closeApp(true)
		},
	}}
}
