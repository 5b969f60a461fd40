// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// short are the settings of nearly every case: probes after one second, given
// up after four.
var short = conn.Settings{Idle: time.Second, Interval: time.Second, Count: 3}

// userTimeout is over at the third firing and not at the second, also where a
// slow machine takes half a second from hearing the peer to starting the timer:
// the kernel counts from the former.
const userTimeout = 2800 * time.Millisecond

// gaveUp is what becomes of a silent peer under short.
var gaveUp = Expect{
	Errno: unix.ETIMEDOUT, After: 4 * time.Second, End: ByKeepalive, Reason: events.ReasonCount,
	Counted: exactly(3), Wire: exactly(3), ResetsOut: exactly(1),
	Verdict: events.VerdictTimedOut, Said: []events.Verdict{events.VerdictSilent},
	State: conn.TCPEstablished,
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
	for _, group := range [][]Case{stateCases(), settingCases(), resetCases(), suspendedCases(), recoveryCases(), heardCases(),
		probedCases(), endingCases(), endedCases(), tcpStateCases(), linkCases(), droppedCases(), socketCases()} {
		all = append(all, group...)
	}
	for i := range all {
		c := &all[i]
		if c.network == nil {
			c.network = onLoopback
		}
		if c.Family == 0 {
			c.Family = conn.IPv4
		}
		if c.Setting == (conn.Settings{}) {
			c.Setting = short
		}
		if c.proto == 0 {
			c.proto = unix.IPPROTO_TCP
		}
		if c.run == nil {
			c.run = untilError
		}
		if c.retries2 == 0 {
			c.retries2 = 15 // the kernel's default
		}
		if c.finTimeout == 0 {
			c.finTimeout = 60 // the kernel's default
		}
	}
	return all
}
