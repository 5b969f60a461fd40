// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// selfTestSettings have a probe after a second, and a giving-up after two: TCP
// knows nothing shorter.
var selfTestSettings = conn.Settings{Idle: time.Second, Interval: time.Second, Count: 1}

const (
	// Each thing is done several times, a little apart: some kernels run no BPF
	// program while certain tasks are the current one.
	selfTestRounds = 5
	selfTestApart  = 70 * time.Millisecond
	selfTestLimit  = 4 * time.Second
)

// selfTests are what makes the kernel run the functions and tracepoints, by
// name, that tracers of keepalive are attached to.
var selfTests = []struct {
	names []string
	run   func(context.Context, *network) error
}{
	{[]string{
		"tcp_set_keepalive", "tcp_keepalive_timer", "timer_expire_entry", "timer_expire_exit", "tcp_write_wakeup",
		"tcp_send_dupack", "kfree_skb", "tcp_probe", "inet_sock_set_state",
	}, testAnswer},
	{[]string{"tcp_send_active_reset", "tcp_send_reset"}, testSilence},
	{[]string{"tcp_receive_reset", "tcp_reset"}, testReset},
	{[]string{"tcp_v4_err"}, testICMP4},
	{[]string{"tcp_v6_err"}, testICMP6},
}

// SelfTest makes connections to itself on loopback: to a peer that answers, to
// one that drops everything, and to one that is gone; and it sends itself ICMP
// errors. It takes little more than two seconds. ran has an entry for each kernel
// function and tracepoint that is meant to run: nil where something else than
// tracing showed that it did, else why not. own says that all of it happened in a
// network namespace of its own; without CAP_SYS_ADMIN and CAP_NET_ADMIN it does
// what it can in this process's.
func SelfTest(ctx context.Context) (ran map[string]error, own bool) {
	ctx, cancel := context.WithTimeout(ctx, selfTestLimit)
	defer cancel()
	n, err := onLoopback()
	own = err == nil
	if !own {
		here := &namespace{}
		n = &network{near: here, far: here, farAddr: loopback4, ifname: "lo"}
	}
	defer func() { _ = n.close() }()
	results := make([]error, len(selfTests)*selfTestRounds)
	_ = each(len(results), func(i int) error {
		round, test := i/len(selfTests), selfTests[i%len(selfTests)]
		_ = rest(ctx, time.Duration(round)*selfTestApart)
		if results[i] = ctx.Err(); results[i] == nil {
			results[i] = test.run(ctx, n)
		}
		return nil
	})
	time.Sleep(settle) // a timer's function goes on after what was seen of it
	ran = map[string]error{}
	for i, err := range results {
		for _, name := range selfTests[i%len(selfTests)].names {
			if before, seen := ran[name]; !seen || before != nil {
				ran[name] = err
			}
		}
	}
	return ran, own
}

// testAnswer has a probe sent and answered: the answer is a segment more from
// the peer, which has nothing else to say.
func testAnswer(ctx context.Context, n *network) error {
	return onStage(n, func(s *stage) error {
		before, err := s.app.segmentsIn()
		if err != nil {
			return err
		}
		if err := s.app.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
			return err
		}
		return poll(ctx, "an answer to a probe", func() (bool, error) {
			now, err := s.app.segmentsIn()
			return now > before, err
		})
	})
}

// testSilence has a connection given up.
func testSilence(ctx context.Context, n *network) error {
	return onStage(n, func(s *stage) error {
		if err := s.silence(); err != nil {
			return err
		}
		return s.endsWith(ctx, unix.ETIMEDOUT)
	})
}

// testReset has a RST answer a probe or, where this process may not take the
// peer's socket away in silence (TCP_REPAIR needs CAP_NET_ADMIN), come by itself.
func testReset(ctx context.Context, n *network) error {
	return onStage(n, func(s *stage) error {
		if err := s.crash(); err != nil && !errors.Is(err, unix.EPERM) {
			return err
		}
		return s.endsWith(ctx, unix.ECONNRESET)
	})
}

// onStage runs a test on a connection of its own, which is gone afterwards.
func onStage(n *network, test func(*stage) error) error {
	s := &stage{Case: Case{Name: "self-test", Setting: selfTestSettings, proto: unix.IPPROTO_TCP}, net: n}
	defer func() {
		s.net = nil // others are in it
		_ = s.close()
	}()
	for _, step := range []func() error{s.connect, s.setOptions, s.touch, func() error { return test(s) }} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// endsWith switches keepalive on and waits until the application reads an error.
func (s *stage) endsWith(ctx context.Context, want unix.Errno) error {
	// It fails on a socket that a RST has closed already.
	_ = s.app.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	s.reader = startReader(s.app, false)
	if err := untilError(ctx, s); err != nil {
		return err
	}
	if errno, _ := s.reader.stop(); errno != want {
		return fmt.Errorf("wait for %w: the application read %w", want, errno)
	}
	return nil
}

// segmentsIn counts the segments that the peer has sent (RFC 4898, tcpEStatsPerfSegsIn).
func (s *socket) segmentsIn() (n uint32, err error) {
	err = s.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			n = info.Segs_in
		}
		return err
	})
	return n, err
}
