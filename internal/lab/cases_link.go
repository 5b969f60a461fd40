// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"katrace/internal/events"
)

// queueDrops is what a queue drops on its way out. Where it says so to the sender
// a probe is refused.
func queueDrops(refused bool) []Dropped {
	return []Dropped{{Direction: events.DirectionOut, Reasons: []string{"QDISC_DROP", "QDISC_OVERLIMIT"}, Here: true, Refused: refused}}
}

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
			e.Dropped = queueDrops(false)
		}),
		network: pair,
		prepare: (*stage).pullPlug,
	}, {
		// The probe waits for the answer to ARP: it was sent, as far as TCP knows.
		// The ICMP error is about what is out of the window, and is dropped.
		Name:   "neighbour-gone",
		About:  "The peer's host answers no ARP any more: the kernel takes the probes for sent, drops them a moment later, and tells itself that the host is unreachable.",
		Staged: "the peer's host stops to answer ARP",
		Expect: gaveUp.but(func(e *Expect) {
			e.Verdict, e.Said, e.ICMP = events.VerdictUnreachable, nil, true
			e.Swallowed, e.Wire, e.ResetsOut = true, exactly(0), exactly(0)
			e.Dropped = []Dropped{{Direction: events.DirectionOut, Reasons: []string{"NEIGH_FAILED"}, Here: true}}
		}),
		network: func() (*network, error) {
			n, err := pair()
			if err == nil {
				n.ownErrors = true
			}
			return n, err
		},
		prepare: (*stage).hideNeighbour,
	}}
}
