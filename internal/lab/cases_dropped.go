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

// droppedCases are those in which this host itself drops the connection's
// segments, one way or the other.
func droppedCases() []Case {
	byFirewall := func(d events.Direction) []Dropped {
		return []Dropped{{Direction: d, Reasons: []string{"NETFILTER_DROP"}, Here: true}}
	}
	refused := gaveUp.but(func(e *Expect) {
		e.Verdict, e.Said, e.SendError = events.VerdictUnreachable, nil, []string{"EPERM"}
		e.Wire, e.ResetsOut = exactly(0), exactly(0)
	})
	return []Case{{
		Name:    "answers-dropped",
		About:   "The peer answers every probe, and this host's own firewall drops the answers: to the kernel, and to the application, the peer is silent.",
		Staged:  "this host's firewall drops what comes from the peer",
		Expect:  gaveUp.but(func(e *Expect) { e.Dropped = byFirewall(events.DirectionIn) }),
		network: pair,
		needs:   needDrop,
		prepare: (*stage).dropAnswers,
	}, {
		Name:    "ipv6-answers-dropped",
		About:   "The same as answers-dropped, over IPv6.",
		Staged:  "IPv6, this host's firewall drops what comes from the peer",
		Family:  conn.IPv6,
		Expect:  gaveUp.but(func(e *Expect) { e.Dropped = byFirewall(events.DirectionIn) }),
		network: routed6,
		needs:   needDrop,
		prepare: (*stage).dropAnswers,
	}, {
		Name:    "probes-dropped",
		About:   "This host's own firewall drops the probes: each is counted, none leaves, and the application reads ETIMEDOUT.",
		Staged:  "this host's firewall drops what goes to the peer",
		Expect:  refused.but(func(e *Expect) { e.Dropped = byFirewall(events.DirectionOut) }),
		network: pair,
		needs:   needDrop,
		prepare: (*stage).dropProbes,
	}, {
		Name:   "data-answers-dropped",
		About:  "Data is in flight, and this host's own firewall drops what acknowledges it: it is sent again and again until net.ipv4.tcp_retries2 is over.",
		Staged: "data to a peer whose segments this host's firewall drops, tcp_retries2 3",
		Expect: Expect{
			Errno: unix.ETIMEDOUT, End: ByOther, By: events.ByRetransmission, Reason: events.ReasonCount, Unacked: exactly(100),
			Verdict: events.VerdictTimedOut, Timer: events.ReasonDataInFlight, Dropped: byFirewall(events.DirectionIn),
			After: 3 * time.Second, // tcp_model_timeout(3)
		},
		network:  pair,
		retries2: 3,
		needs:    needDrop,
		prepare:  func(s *stage) error { return errors.Join(s.dropAnswers(), s.app.write(100)) },
	}, {
		Name:   "answers-filtered",
		About:  "The socket has a filter that lets nothing in: the peer answers, and its answers end there.",
		Staged: "the traced socket gets a filter that drops everything",
		Expect: gaveUp.but(func(e *Expect) {
			e.Dropped = []Dropped{{Direction: events.DirectionIn, Reasons: []string{"SOCKET_FILTER"}, Here: true}}
		}),
		network: pair,
		prepare: (*stage).filterAnswers,
	}, {
		Name:   "tc-ingress",
		About:  "A tc filter on the interface drops the answers on their way in.",
		Staged: "tc drops what comes in by the interface",
		Expect: gaveUp.but(func(e *Expect) {
			e.Dropped = []Dropped{{Direction: events.DirectionIn, Reasons: []string{"TC_INGRESS"}, Here: true}}
		}),
		network: pair,
		needs:   needTC,
		prepare: (*stage).tcIngress,
	}, {
		Name:   "tc-egress",
		About:  "A tc filter on the interface drops the probes on their way out, and says so to TCP: the kernel tries again every half second, as if the queue were full.",
		Staged: "tc drops 3 tries on their way out by the interface",
		Expect: Expect{
			Counted: atLeast(5), Wire: atLeast(2), Answers: atLeast(2),
			Verdict: events.VerdictAlive, Said: []events.Verdict{events.VerdictCongested, events.VerdictAlive},
			SendError: []string{events.Congested}, State: conn.TCPEstablished,
			Dropped: []Dropped{{Direction: events.DirectionOut, Reasons: []string{"TC_EGRESS"}, Here: true, Refused: true}},
		},
		network: pair,
		needs:   needTC,
		prepare: (*stage).tcEgress,
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(s.untilCounted(ctx, 3), s.tcOff(), s.untilAnswers(ctx, 2), s.closeBoth())
		},
	}, {
		Name:   "rp-filter",
		About:  "This host's route to the peer leads by another interface than the one on which its answers come: the reverse path filter drops them.",
		Staged: "the route back leads elsewhere, with rp_filter on",
		Expect: gaveUp.but(func(e *Expect) {
			e.Dropped = []Dropped{{Direction: events.DirectionIn, Reasons: []string{"IP_RPFILTER"}, Here: true}}
		}),
		network: pair,
		prepare: (*stage).turnBack,
	}, {
		Name:   "rolled-back",
		About:  "This end is restored as it was 1,000 bytes ago, as from a snapshot of a virtual machine: the peer's answers acknowledge what was not sent yet, and are dropped.",
		Staged: "the traced socket's sequence numbers are set back",
		Expect: gaveUp.but(func(e *Expect) {
			e.Dropped = []Dropped{{Direction: events.DirectionIn, Reasons: []string{"TCP_ACK_UNSENT_DATA"}}}
		}),
		network: pair,
		prepare: (*stage).rollBack,
	}, {
		Name:   "md5",
		About:  "The two ends sign with different keys (TCP MD5, as BGP uses it): what either sends the other drops, and both seem silent.",
		Staged: "each end gets an MD5 key, not the same, and the peer sends a byte",
		Expect: gaveUp.but(func(e *Expect) {
			e.Dropped = []Dropped{{Direction: events.DirectionIn, Reasons: []string{"TCP_MD5FAILURE"}, Here: true}}
		}),
		network: pair,
		needs:   needMD5,
		// The peer drops the probes, so only what it sends by itself comes here: again and
		// again, after times that double, and so while a probe is out.
		prepare: func(s *stage) error { return errors.Join(s.disagreeOnKeys(), s.peer.write(1)) },
	}, {
		Name:    "full-capture",
		About:   "The peer is gone, and a capture on this host has no room for more: the kernel drops its copies of the probes, and that is not where they are lost.",
		Staged:  "the peer drops everything, and a packet socket on the own interface is full",
		Expect:  gaveUp,
		network: tapped,
		prepare: func(s *stage) error { return errors.Join(s.fillTap(), s.silence()) },
	}}
}

// tapped is pair, with a packet socket on the own interface that nobody reads. It
// is the first there: the last to get its copy, and so the one that frees it.
func tapped() (*network, error) {
	n, err := pair()
	if err != nil {
		return nil, err
	}
	err = n.near.do(func() error {
		tap, err := openCapture(n.ifname)
		if err != nil {
			return err
		}
		n.tap = tap.sock
		return n.tap.set(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1) // the least there is
	})
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// fillTap fills that packet socket.
func (s *stage) fillTap() error {
	for range 10 {
		if err := s.touch(); err != nil {
			return err
		}
	}
	return s.net.tap.control(func(fd int) error {
		stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil && stats.Drops == 0 {
			err = errors.New("the packet socket is not full")
		}
		return err
	})
}

// dropAnswers makes the traced side's firewall drop what the peer sends.
func (s *stage) dropAnswers() error {
	s.capture.deafen()
	return s.net.near.do(func() error { return dropIn(s.remote.Port()) })
}

// dropProbes makes it drop what the peer is sent.
func (s *stage) dropProbes() error {
	return s.net.near.do(func() error { return dropOut(s.remote.Port()) })
}

// filterAnswers makes the traced socket drop what comes.
func (s *stage) filterAnswers() error {
	s.capture.deafen()
	return s.app.dropAll()
}
