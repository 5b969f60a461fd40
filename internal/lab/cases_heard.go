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

// heardCases are those in which the peer is heard by something else than its
// answer to a probe.
func heardCases() []Case {
	return []Case{{
		Name:   "stray-data",
		About:  "A probe is lost, and later the peer sends data by itself: it is heard, and that is no round trip.",
		Staged: "the peer drops a probe, then sends data",
		Expect: Expect{
			Counted: atLeast(2), Wire: atLeast(2), Answers: atLeast(2),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		prepare: (*stage).silence,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 1); err != nil {
				return err
			}
			if err := rest(ctx, 200*time.Millisecond); err != nil { // far from any round trip on lo
				return err
			}
			if err := errors.Join(s.speak(), s.peer.write(4)); err != nil {
				return err
			}
			if err := s.untilAnswers(ctx, 2); err != nil {
				return err
			}
			return s.closeBoth()
		},
	}, {
		Name:   "proxy",
		About:  "A process on this host has taken the peer's address, and the peer itself is not there: this host's own kernel answers the probes.",
		Staged: "a process on this host answers for the peer",
		Expect: Expect{
			Counted: atLeast(2), Wire: atLeast(2), Answers: atLeast(2),
			Verdict: events.VerdictAlive, State: conn.TCPEstablished,
		},
		network: proxied,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilAnswers(ctx, 2); err != nil {
				return err
			}
			return s.closeBoth()
		},
	}, {
		Name:    "probes-ignored",
		About:   "The peer acknowledges data and nothing else, as behind something that passes no empty segments: it is heard after two probes, and then given up, though it is there.",
		Staged:  "empty segments are dropped; after 2 probes a byte is sent",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 5},
		Expect: gaveUp.but(func(e *Expect) {
			e.After = 8 * time.Second
			// On a slow machine the byte goes out after more than two probes.
			e.Counted, e.Wire, e.Answers, e.Writes = between(7, 9), between(7, 9), exactly(1), true
			e.Said = []events.Verdict{events.VerdictSilent, events.VerdictAlive, events.VerdictSilent}
		}),
		prepare: (*stage).ignoreProbes,
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 2); err != nil {
				return err
			}
			if err := rest(ctx, 200*time.Millisecond); err != nil { // so that times tell what comes first
				return err
			}
			return errors.Join(s.touch(), untilError(ctx, s))
		},
	}, {
		// The fast path of tcp_rcv_established takes data that acknowledges nothing
		// new, and fits into memory that the socket has, without tcp_ack(): then
		// icsk_probes_out stays. Unread data in the queue keeps such memory.
		Name:    "heard-by-data",
		About:   "Three probes are unanswered when a byte comes from the peer, which the kernel takes without clearing its count: what is left of the five goes out, and it gives up.",
		Staged:  "the peer drops 3 probes, sends a byte, and drops everything again",
		Setting: conn.Settings{Idle: time.Second, Interval: time.Second, Count: 5},
		Expect: gaveUp.but(func(e *Expect) {
			e.After = 6 * time.Second
			e.Counted, e.Wire, e.Answers, e.KeepCount = exactly(5), exactly(5), exactly(1), true
			// On a slow machine the byte comes after more than three probes.
			e.Said = []events.Verdict{events.VerdictSilent, events.VerdictAlive}
		}),
		unread:  true,
		prepare: func(s *stage) error { return errors.Join(s.leaveUnread(), s.silence()) },
		run: func(ctx context.Context, s *stage) error {
			if err := s.untilProbes(ctx, 3); err != nil {
				return err
			}
			if err := rest(ctx, 200*time.Millisecond); err != nil { // so that times tell what comes first
				return err
			}
			if err := errors.Join(s.speak(), s.say(), s.silence()); err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}}
}

// leaveUnread has data come from the peer, the last byte of which the
// application does not read. What comes before it makes both ends' windows
// settle: a segment with another window is none for the fast path.
func (s *stage) leaveUnread() error {
	for range 30 {
		err := s.say()
		if err == nil {
			err = s.app.control(func(fd int) error {
				_, err := unix.Read(fd, make([]byte, 1))
				return err
			})
		}
		if err != nil {
			return err
		}
	}
	return s.say()
}

// say sends a byte from the peer and waits until it is acknowledged: else the
// peer would send it again.
func (s *stage) say() error {
	if err := s.peer.write(1); err != nil {
		return fmt.Errorf("write at the peer: %w", err)
	}
	// Acknowledged at once, and not when there is something to send.
	if err := s.app.set(unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1); err != nil {
		return err
	}
	return s.peer.awaitThat("the application has acknowledged", func(fd int) (bool, error) {
		unacked, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
		return unacked == 0, err
	})
}
