// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The steps that the cases are made of.

// touch sends a byte and waits until the peer has acknowledged and read it:
// then neither side has anything to say, and the peer was heard just now.
func (s *stage) touch() error {
	if err := s.app.write(1); err != nil {
		return fmt.Errorf("write to the peer: %w", err)
	}
	err := s.peer.control(func(fd int) error {
		if err := await(fd, unix.POLLIN); err != nil {
			return err
		}
		_, err := unix.Read(fd, make([]byte, 1))
		return err
	})
	if err != nil {
		return fmt.Errorf("read at the peer: %w", err)
	}
	return s.app.awaitThat("the peer has acknowledged", func(fd int) (bool, error) {
		unacked, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
		return unacked == 0, err
	})
}

// silence makes the peer drop whatever comes: it vanishes from the network
// without knowing of it.
func (s *stage) silence() error {
	s.silenced = s.net.near == s.net.far
	return s.peer.dropAll()
}

// dropAll has the socket drop whatever comes.
func (s *socket) dropAll() error {
	return s.filter(unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0})
}

// ignoreProbes makes the peer drop segments without data.
func (s *stage) ignoreProbes() error {
	s.silenced = s.net.near == s.net.far
	const offsetAt = 12 // data offset, in the upper half of the byte (RFC 9293): words
	return s.peer.filter(
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: offsetAt},
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0xf0},
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 2}, // bytes
		unix.SockFilter{Code: unix.BPF_MISC | unix.BPF_TAX},
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_SUB | unix.BPF_X}, // what comes after the header
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0, Jf: 1},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16}, // all of it
	)
}

// filter has a program of classic BPF look at what comes.
func (s *socket) filter(program ...unix.SockFilter) error {
	return s.control(func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
}

// silenceWithData has unacknowledged data on the way to a peer that is gone.
func (s *stage) silenceWithData() error {
	return errors.Join(s.silence(), s.app.write(1))
}

// speak undoes silence.
func (s *stage) speak() error { return s.peer.set(unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) }

// crash takes the peer's socket away without a word, as a reboot does: its host
// does not know the connection any more.
func (s *stage) crash() error {
	err := s.peer.vanish()
	s.peer = nil
	return err
}

// overfill writes more than the peer, which reads nothing, can take.
func (s *stage) overfill() error {
	err := s.app.write(64 << 20)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return errors.Join(err, errors.New("the peer's window did not close"))
}

// loseRoute leaves the traced side without a way to the peer.
func (s *stage) loseRoute() error {
	return s.net.near.do(func() error { return removeRoutes(s.net.ifname) })
}

// loseFarRoute leaves the router without a way to the peer.
func (s *stage) loseFarRoute() error {
	return s.net.router.do(func() error { return forget(s.net.farAddr) })
}

// blockQueue makes the traced side's interface refuse every packet.
func (s *stage) blockQueue() error {
	return s.net.near.do(func() error { return queueLimit(s.net.ifname, 0) })
}

// freeQueue undoes blockQueue.
func (s *stage) freeQueue() error {
	return s.net.near.do(func() error { return queueLimit(s.net.ifname, 1000) })
}

// untilError waits until the application's read fails.
func untilError(ctx context.Context, s *stage) error {
	select {
	case <-s.reader.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the application's read to fail: %w", ctx.Err())
	}
}

// until waits for something to be seen on the wire.
func (s *stage) until(ctx context.Context, what string, seen func(*Capture) bool) error {
	return poll(ctx, what, func() (bool, error) {
		now := s.capture.seen()
		return seen(&now), nil
	})
}

func (s *stage) untilProbes(ctx context.Context, n int) error {
	return s.until(ctx, fmt.Sprintf("%d probes", n), func(c *Capture) bool { return len(c.Probes) >= n })
}

func (s *stage) untilAnswers(ctx context.Context, n int) error {
	err := s.until(ctx, fmt.Sprintf("%d answers", n), func(c *Capture) bool { return c.Answers() >= n })
	if err == nil && s.app != nil {
		s.app.takeAnswer(ctx)
	}
	return err
}

// takeAnswer gives TCP time to take an answer, which the capture sees before it
// does. An application that closes in between has it taken in another state,
// where nothing is heard of it at once (tcp_rcv_state_process). Data from the peer
// need not clear the count of probes: then the time is all that is given.
func (s *socket) takeAnswer(ctx context.Context) {
	for range 50 {
		taken := true
		_ = s.control(func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			taken = err != nil || info.Probes == 0
			return err
		})
		if taken || rest(ctx, 2*time.Millisecond) != nil {
			return
		}
	}
}

func (s *stage) untilCounted(ctx context.Context, n uint64) error {
	return poll(ctx, fmt.Sprintf("%d probes counted", n), func() (bool, error) {
		count, err := s.counters.tcpExt(counterKeepalive)
		return count >= s.keepalive+n, err
	})
}

// closeApp closes the traced socket: with FIN, or, as with linger 0, with RST.
func (s *stage) closeApp(abort bool) error {
	s.reader.stop()
	s.closing = time.Now()
	err := errors.Join(s.app.setLinger(abort), s.app.close())
	s.app = nil
	return err
}

// closeBoth ends the connection as two well-behaved applications do.
func (s *stage) closeBoth() error {
	err := errors.Join(s.closeApp(false), s.peer.setLinger(false), s.peer.close())
	s.peer = nil
	return err
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pollEvery is short beside a probe's interval, and long enough for an emulated
// machine that plays all cases at once.
const pollEvery = 30 * time.Millisecond

// poll asks again and again.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := rest(ctx, pollEvery); err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}

// awaitThat waits for a condition on the socket that comes about by itself.
func (s *socket) awaitThat(what string, done func(fd int) (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	return poll(ctx, what, func() (ok bool, err error) {
		err = s.control(func(fd int) (err error) {
			ok, err = done(fd)
			return err
		})
		return ok, err
	})
}

// write sends n bytes, or as many as there is room for, and then says EAGAIN.
func (s *socket) write(n int) error {
	return s.control(func(fd int) error {
		for n > 0 {
			sent, err := unix.Write(fd, make([]byte, min(n, 64<<10)))
			if err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			n -= max(sent, 0)
		}
		return nil
	})
}

// setLinger chooses how the socket closes: with RST and at once, or with FIN,
// the kernel seeing to the rest.
func (s *socket) setLinger(reset bool) error {
	linger := unix.Linger{}
	if reset {
		linger.Onoff = 1
	}
	return s.control(func(fd int) error { return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &linger) })
}

// vanish closes the socket and sends nothing: what TCP_REPAIR is for.
func (s *socket) vanish() error {
	return errors.Join(s.set(unix.IPPROTO_TCP, unix.TCP_REPAIR, 1), s.close())
}
