// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// short are the settings of nearly every case: probes after one second, given
// up after four.
var short = events.Settings{Idle: time.Second, Interval: time.Second, Count: 3}

// userTimeout is over at the third firing and not at the second, also where a
// slow machine takes half a second from hearing the peer to starting the timer:
// the kernel counts from the former.
const userTimeout = 2800 * time.Millisecond

// gaveUp is what becomes of a silent peer under short.
var gaveUp = Expect{
	Errno: unix.ETIMEDOUT, After: 4 * time.Second, End: ByKeepalive, Reason: events.ReasonCount,
	Counted: exactly(3), Wire: exactly(3), ResetsOut: exactly(1),
	Verdict: events.VerdictTimedOut, Said: []events.Verdict{events.VerdictSilent},
	State: events.StateEstablished,
}

// but is e with a few things changed.
func (e Expect) but(change func(*Expect)) Expect {
	change(&e)
	return e
}

// onLoopback is both ends on lo, over IPv4.
var onLoopback = loopback(loopback4)

var loopback4, loopback6 = netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()

// Cases returns every case, in the order in which to show them: the four states
// of a peer, then what resembles them, then what is not keepalive at all.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{stateCases(), settingCases(), suspendedCases(), changeCases(), otherCases(),
		tcpStateCases(), linkCases(), socketCases()} {
		all = append(all, group...)
	}
	for i := range all {
		c := &all[i]
		if c.network == nil {
			c.network = onLoopback
		}
		if c.Family == 0 {
			c.Family = events.IPv4
		}
		if c.Setting == (events.Settings{}) {
			c.Setting = short
		}
		if c.proto == 0 {
			c.proto = unix.IPPROTO_TCP
		}
		if c.run == nil {
			c.run = untilError
		}
		if c.finTimeout == 0 {
			c.finTimeout = 60 // the kernel's default
		}
	}
	return all
}

// stateCases are the four states of a peer.
func stateCases() []Case {
	return []Case{{
		Name:   "alive",
		About:  "The peer is up: it answers every probe.",
		Staged: "the peer answers",
		Expect: Expect{
			Counted: atLeast(3), Wire: atLeast(3), Answers: atLeast(3),
			Verdict: events.VerdictAlive, State: events.StateEstablished,
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
		Name:   "rebooted",
		About:  "The peer crashed and is up again: it does not know the connection and answers with RST.",
		Staged: "the peer loses its socket after an answer",
		Expect: Expect{
			Errno: unix.ECONNRESET, After: 2 * time.Second, End: ByPeer,
			Counted: atLeast(2), Wire: atLeast(2), Answers: atLeast(1),
			Verdict: events.VerdictForgotten, State: events.StateEstablished,
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
		Family: events.IPv6,
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
	}}
}

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
	}}
}
