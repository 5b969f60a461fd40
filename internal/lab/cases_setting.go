// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// settingCases are a vanished peer under other settings and addresses.
func settingCases() []Case {
	return []Case{{
		Name:    "user-timeout",
		About:   "TCP_USER_TIMEOUT decides: the kernel gives up at the first firing after it, whatever TCP_KEEPCNT says.",
		Staged:  "TCP_USER_TIMEOUT 2.8s, the peer drops everything",
		Setting: events.Settings{Idle: time.Second, Interval: time.Second, Count: 9, UserTimeout: userTimeout},
		Expect: gaveUp.but(func(e *Expect) {
			e.Reason, e.After = events.ReasonUserTimeout, 3*time.Second
			e.Counted, e.Wire = exactly(2), exactly(2)
		}),
		prepare: (*stage).silence,
	}, {
		Name:   "inherited",
		About:  "The socket sets SO_KEEPALIVE and nothing else: idle, interval and count are the namespace's sysctls.",
		Staged: "settings by sysctl, the peer drops everything",
		Setting: events.Settings{Idle: time.Second, Interval: time.Second, Count: 3,
			Inherited: events.SettingIdle | events.SettingInterval | events.SettingCount},
		Expect:  gaveUp,
		prepare: (*stage).silence,
	}, {
		Name:    "ipv6-vanished",
		About:   "The same as vanished, over IPv6.",
		Staged:  "IPv6, the peer drops everything",
		Family:  events.IPv6,
		Expect:  gaveUp,
		network: loopback(loopback6),
		prepare: (*stage).silence,
	}, {
		Name:    "mapped-vanished",
		About:   "The same as vanished, with an IPv6 socket that talks IPv4.",
		Staged:  "IPv4-mapped, the peer drops everything",
		Family:  events.IPv6Mapped,
		Expect:  gaveUp,
		network: loopback(netip.MustParseAddr("::ffff:127.0.0.1")),
		prepare: (*stage).silence,
	}, {
		Name:   "half-closed",
		About:  "The application has shut down its writing side, then the peer vanished: FIN_WAIT2, and keepalive works.",
		Staged: "shutdown, then the peer drops everything",
		Expect: gaveUp.but(func(e *Expect) { e.State = events.StateFinWait2 }),

		prepare: (*stage).halfClose,
	}, {
		Name:    "beyond-255",
		About:   "More than 255 probes are unanswered, which the kernel counts in 8 bits: an interval of 0 means at every tick.",
		Staged:  "interval 0 by sysctl and a user timeout, the peer drops everything",
		Setting: everyTick(500),
		Expect: gaveUp.but(func(e *Expect) {
			// The kernel counts from when the peer was last heard, which was before.
			e.Reason, e.After = events.ReasonUserTimeout, everyTick(500).UserTimeout-500*time.Millisecond
			e.Counted, e.Wire = atLeast(257), atLeast(257)
		}),
		prepare: (*stage).silence,
	}}
}

// everyTick are the settings under which about n probes are sent, one a tick,
// after a second.
func everyTick(n int) events.Settings {
	tick := 10 * time.Millisecond // HZ 100, the slowest
	var res unix.Timespec
	if unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res) == nil {
		tick = time.Duration(res.Nano())
	}
	return events.Settings{Idle: time.Second, Count: 3, Inherited: events.SettingInterval,
		UserTimeout: (time.Second + time.Duration(n)*tick).Truncate(time.Millisecond)}
}
