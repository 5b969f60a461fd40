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

// suspended is what a connection with something in flight tells until the
// application aborts it, with so many RST.
func suspended(resets int) Expect {
	return Expect{ResetsOut: exactly(resets), Verdict: events.VerdictSuspended, Timer: events.ReasonDataInFlight}
}

// thenAbort leaves the timer time for three firings.
func thenAbort(ctx context.Context, s *stage) error {
	if err := rest(ctx, 3300*time.Millisecond); err != nil {
		return err
	}
	return s.closeApp(true)
}

// tcpStateCases are connections that are not, or not only, ESTABLISHED.
// (half-closed is FIN_WAIT2 with its owner, fin-wait2-orphan and -timeout without.)
func tcpStateCases() []Case {
	return []Case{{
		Name:    "syn-sent",
		About:   "Keepalive is on before the connection is made: the timer fires once and does nothing; SYN retransmission is in charge.",
		Staged:  "connect to a host that does not answer",
		Expect:  Expect{Timer: events.ReasonClosed},
		network: pair,
		connect: callNobody,
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(rest(ctx, 2500*time.Millisecond), s.app.awaitState(conn.TCPSynSent), s.closeApp(true))
		},
	}, {
		Name:   "close-wait",
		About:  "The peer has closed its side and then vanished: keepalive works in CLOSE_WAIT.",
		Staged: "the peer shuts down, then drops everything",
		Expect: gaveUp.but(func(e *Expect) { e.State = conn.TCPCloseWait }),
		prepare: func(s *stage) error {
			return errors.Join(s.peerCloses(), s.silence())
		},
	}, {
		Name:   "close-wait-forgotten",
		About:  "The peer has closed its side and then lost its socket: in CLOSE_WAIT its RST reads as EPIPE.",
		Staged: "the peer shuts down, then loses its socket",
		Expect: Expect{
			Errno: unix.EPIPE, After: time.Second, End: ByPeer,
			Counted: exactly(1), Wire: exactly(1),
			RST: events.RSTUnknownConnection, Verdict: events.VerdictForgotten, State: conn.TCPCloseWait,
		},
		prepare: func(s *stage) error {
			return errors.Join(s.peerCloses(), s.crash())
		},
	}, {
		Name:   "fin-wait1",
		About:  "The application has shut down and its FIN is not acknowledged: retransmission is in charge.",
		Staged: "shutdown towards a peer that drops everything",
		Expect: suspended(1),
		prepare: func(s *stage) error {
			return s.lastWordLost(conn.TCPFinWait1)
		},
		run: thenAbort,
	}, {
		// tcp_disconnect sends no RST in LAST_ACK.
		Name:   "last-ack",
		About:  "Both have shut down and the last FIN is not acknowledged: retransmission is in charge.",
		Staged: "the peer shuts down and drops everything, shutdown",
		Expect: suspended(0),
		prepare: func(s *stage) error {
			return errors.Join(s.peerCloses(), s.lastWordLost(conn.TCPLastAck))
		},
		run: thenAbort,
	}, {
		Name:   "time-wait",
		About:  "Closed by the application first: the socket is gone, TIME_WAIT has a timer of its own, and there is no more to tell.",
		Staged: "both close after an answer",
		Expect: Expect{
			Counted: atLeast(1), Wire: atLeast(1), Answers: atLeast(1),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(s.untilAnswers(ctx, 1), s.closeBoth(), s.untilListed(ctx, conn.TCPTimeWait), rest(ctx, 2500*time.Millisecond))
		},
	}}
}
