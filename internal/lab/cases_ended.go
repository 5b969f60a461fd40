// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// endedCases end with an error that the application reads, and not by the
// keepalive timer; no keepalive probe is out.
func endedCases() []Case {
	const payload = 100
	data := func(s *stage) error { return errors.Join(s.silence(), s.app.write(payload)) }
	byTimer := Expect{
		Errno: unix.ETIMEDOUT, End: ByOther, By: events.ByRetransmission, Reason: events.ReasonCount, Unacked: exactly(payload),
		Verdict: events.VerdictTimedOut, Timer: events.ReasonDataInFlight,
	}
	// No probe comes before the end.
	idle := conn.Settings{Idle: 30 * time.Second, Interval: time.Second, Count: 3}
	// A firing comes before the end, also where a slow machine takes seconds from the
	// data to switching keepalive on.
	userTimeout := conn.Settings{Idle: time.Second, Interval: time.Second, Count: 3, UserTimeout: 4800 * time.Millisecond}
	byReset := Expect{Errno: unix.ECONNRESET, End: ByOther, By: events.ByPeer}
	return []Case{{
		Name:     "data-retries2",
		About:    "Data is sent again and again and never acknowledged, until net.ipv4.tcp_retries2 is over.",
		Staged:   "data to a peer that drops everything, tcp_retries2 3",
		Expect:   byTimer.but(func(e *Expect) { e.After = 3 * time.Second }), // tcp_model_timeout(3)
		retries2: 3,
		prepare:  data,
	}, {
		Name:    "data-user-timeout",
		About:   "The same, until TCP_USER_TIMEOUT is over.",
		Staged:  "data to a peer that drops everything, TCP_USER_TIMEOUT 4.8s",
		Setting: userTimeout,
		Expect: byTimer.but(func(e *Expect) {
			e.After, e.Reason = time.Second, events.ReasonUserTimeout
		}),
		prepare: data,
	}, {
		Name:    "window-user-timeout",
		About:   "The peer reads nothing and acknowledges each window probe; TCP_USER_TIMEOUT ends that.",
		Staged:  "more data than the peer takes, TCP_USER_TIMEOUT 4.8s",
		Setting: userTimeout,
		Expect: byTimer.but(func(e *Expect) {
			e.After, e.Reason = time.Second, events.ReasonUserTimeout
			e.By, e.Unacked, e.WindowProbes = events.ByZeroWindow, atLeast(1), true
		}),
		receiveBuffer: 4096,
		prepare:       (*stage).fill,
	}, {
		Name:   "window-retries2",
		About:  "The peer reads nothing, and then it vanishes: after net.ipv4.tcp_retries2 unanswered window probes it is given up.",
		Staged: "more data than the peer takes, then it drops everything, tcp_retries2 3",
		Expect: byTimer.but(func(e *Expect) {
			e.By, e.Unacked, e.WindowProbes = events.ByZeroWindow, atLeast(1), true
		}),
		retries2:      3,
		receiveBuffer: 4096,
		prepare:       (*stage).fill,
		// Not before: by then a slow machine may have sent the last window probe.
		run: func(ctx context.Context, s *stage) error {
			return errors.Join(s.untilAcknowledged(), s.silence(), untilError(ctx, s))
		},
	}, {
		Name:    "idle-abort",
		About:   "The peer's application aborts while no probe is out. Its RST has the ACK flag: the peer knew the connection.",
		Staged:  "the peer closes with linger 0",
		Setting: idle,
		Expect:  byReset.but(func(e *Expect) { e.RST, e.Verdict = events.RSTAbort, events.VerdictAborted }),
		run: func(ctx context.Context, s *stage) error {
			err := s.peer.close() // SO_LINGER is set
			s.peer = nil
			return errors.Join(err, untilError(ctx, s))
		},
	}, {
		Name:    "idle-middlebox",
		About:   "A middlebox ends an idle connection with a RST in the peer's name, and no probe is out. The peer lives.",
		Staged:  "a RST without ACK in the peer's name",
		Setting: idle,
		Expect:  byReset.but(func(e *Expect) { e.RST, e.Verdict = events.RSTUnknownConnection, events.VerdictForgotten }),
		run: func(ctx context.Context, s *stage) error {
			if err := s.injectReset(); err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}, {
		Name:    "data-own-firewall",
		About:   "This host's own firewall refuses data and resets the connection in the peer's name: nothing of it is on the wire.",
		Staged:  "this host's firewall rejects data with a TCP reset",
		Setting: idle,
		Expect: byReset.but(func(e *Expect) {
			e.By, e.RST, e.Verdict, e.Unacked = events.ByThisHost, events.RSTThisHost, events.VerdictReset, exactly(payload)
		}),
		network: pair,
		needs:   needReject,
		run: func(ctx context.Context, s *stage) error {
			if err := s.net.near.do(func() error { return rejectOut(s.remote.Port()) }); err != nil {
				return err
			}
			return errors.Join(s.app.write(payload), untilError(ctx, s))
		},
	}, {
		Name:    "destroyed",
		About:   "Somebody on this host destroys the socket, as ss -K does.",
		Staged:  "SOCK_DESTROY",
		Setting: idle,
		Expect:  Expect{Errno: unix.ECONNABORTED, End: ByOther, By: events.ByThisHost, ResetsOut: exactly(1)},
		needs:   needDestroy,
		run: func(ctx context.Context, s *stage) error {
			if err := s.net.near.do(s.destroy); err != nil {
				return err
			}
			return untilError(ctx, s)
		},
	}}
}

// fill is overfill at once: the time of a timer that ends the connection counts
// from the peer's closing its window.
func (s *stage) fill() error {
	return errors.Join(s.app.set(unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10), s.overfill())
}

// untilAcknowledged waits until all that was sent is acknowledged: what is left
// waits for the peer's window.
func (s *stage) untilAcknowledged() error {
	return s.app.awaitThat("the peer has acknowledged", func(fd int) (bool, error) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.Unacked == 0 && info.Notsent_bytes > 0, err
	})
}

// destroy closes the traced socket from outside: SOCK_DESTROY of sock_diag(7).
func (s *stage) destroy() error {
	if err := netlink.SocketDestroy(net.TCPAddrFromAddrPort(s.local), net.TCPAddrFromAddrPort(s.remote)); err != nil {
		return fmt.Errorf("destroy the traced socket: %w%s", err, hint(err))
	}
	return nil
}

// needDestroy says whether this kernel can destroy sockets (CONFIG_INET_DIAG_DESTROY).
func needDestroy() (err error) {
	s := &stage{}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.net, err = onLoopback(); err != nil {
		return err
	}
	if err = s.connect(); err != nil {
		return err
	}
	err = s.net.near.do(s.destroy)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("no SOCK_DESTROY (%w): %w", err, ErrLacking)
	}
	return err
}
