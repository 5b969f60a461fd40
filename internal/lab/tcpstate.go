// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// The steps that lead a connection into a TCP state.

// halfClose says that the application will write no more, and then the peer vanishes.
func (s *stage) halfClose() error {
	return errors.Join(s.app.shutdown(), s.app.awaitState(conn.TCPFinWait2), s.silence())
}

// peerCloses has the peer say that it will write no more: CLOSE_WAIT.
func (s *stage) peerCloses() error {
	// Until the peer knows that its FIN has arrived, it would send it again.
	return errors.Join(s.peer.shutdown(), s.app.awaitState(conn.TCPCloseWait), s.peer.awaitState(conn.TCPFinWait2))
}

// lastWordLost has the application say the same to a peer that does not hear
// it: FIN_WAIT1, or LAST_ACK if the peer has said so before.
func (s *stage) lastWordLost(state conn.TCPState) error {
	return errors.Join(s.silence(), s.app.shutdown(), s.app.awaitState(state))
}

// callNobody connects to a host that does not answer: SYN_SENT.
func callNobody(s *stage) error {
	s.remote = netip.AddrPortFrom(s.net.farAddr, 9) // discard (RFC 863)
	if err := s.net.far.do(func() error { return ignore(netip.MustParseAddr("192.0.2.1")) }); err != nil {
		return err
	}
	err := s.net.near.do(func() (err error) {
		s.app, err = newTCP(s.remote.Addr(), s.proto, "traced")
		return err
	})
	if err != nil {
		return err
	}
	err = s.app.control(func(fd int) error {
		if err := unix.Connect(fd, sockaddr(s.remote)); !errors.Is(err, unix.EINPROGRESS) {
			return fmt.Errorf("connect to %s: %w", s.remote, err)
		}
		return nil
	})
	return errors.Join(err, s.identify(), s.app.awaitState(conn.TCPSynSent))
}

// untilListed waits until the namespace lists the traced side in a state: when
// the application has closed it there is no socket to ask.
func (s *stage) untilListed(ctx context.Context, state conn.TCPState) error {
	return s.untilListing(ctx, state.String(), fmt.Sprintf(":%04X %02X ", s.remote.Port(), uint8(state)), true)
}

// untilUnlisted waits until the traced side is closed. The application's socket
// may live on (MPTCP).
func (s *stage) untilUnlisted(ctx context.Context) error {
	return s.untilListing(ctx, "the end", fmt.Sprintf(":%04X ", s.remote.Port()), false)
}

// untilListing waits until the namespace lists a socket with this remote port and
// state (tcp4_seq_show), or none any more.
func (s *stage) untilListing(ctx context.Context, what, row string, listed bool) error {
	return poll(ctx, what, func() (done bool, err error) {
		err = s.net.near.do(func() error {
			text, err := os.ReadFile("/proc/thread-self/net/tcp")
			done = bytes.Contains(text, []byte(row)) == listed
			return err
		})
		return done, err
	})
}

// shutdown says that there is no more to come.
func (s *socket) shutdown() error {
	if err := s.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

func (s *socket) awaitState(state conn.TCPState) error {
	return s.awaitThat(state.String(), func(fd int) (bool, error) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && conn.TCPState(info.State) == state, err
	})
}
