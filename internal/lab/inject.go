// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// injectProbe sends the traced socket a keepalive probe in the peer's name, as
// another system's kernel would: with so many bytes of garbage (RFC 1122,
// 4.2.3.6: Windows and the old BSDs send one, Linux none). It waits for the
// answer.
func (s *stage) injectProbe(ctx context.Context, garbage int) error {
	segment, before := s.capture.probeOfPeer(garbage)
	if err := s.inject(segment); err != nil {
		return err
	}
	return s.until(ctx, "an answer to the peer's probe", func(c *Capture) bool {
		return len(c.Probed) > before && !c.Probed[before].Answer.IsZero()
	})
}

// injectReset sends the traced socket a RST without the ACK flag in the peer's
// name, as a middlebox does that knows the sequence numbers.
func (s *stage) injectReset() error { return s.inject(s.capture.resetOfPeer()) }

// inject sends a segment from the peer's host.
func (s *stage) inject(segment []byte) error {
	err := s.net.far.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, segment, 0, &unix.SockaddrInet4{Addr: s.local.Addr().As4()})
	})
	if err != nil {
		return fmt.Errorf("send a segment in the peer's name: %w", err)
	}
	return nil
}

// resetOfPeer makes a RST that is taken for the peer's: its sequence number has
// to be the expected one (RFC 5961, 3.2).
func (c *capture) resetOfPeer() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ipv4Segment(packet{src: c.wire.remote, dst: c.wire.local, seq: c.wire.peerNext, flags: flagRST}, nil)
}

// probeOfPeer makes a probe that the peer might send now, and says how many it
// has sent before.
func (c *capture) probeOfPeer(garbage int) (segment []byte, before int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.wire
	return ipv4Segment(packet{
		src: w.remote, dst: w.local, seq: w.peerNext - 1, ack: w.next, flags: flagACK, window: w.peerWindow,
	}, make([]byte, garbage)), len(w.Probed)
}

// ipv4Segment is a TCP segment without options, from its IP header on. The
// kernel fills in that header's length and checksum (raw(7), IP_HDRINCL).
func ipv4Segment(p packet, payload []byte) []byte {
	b := make([]byte, 40, 40+len(payload))
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_TCP // version and length; TTL
	src, dst := p.src.Addr().As4(), p.dst.Addr().As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	tcp := b[20:]
	binary.BigEndian.PutUint16(tcp, p.src.Port())
	binary.BigEndian.PutUint16(tcp[2:], p.dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], p.seq)
	binary.BigEndian.PutUint32(tcp[8:], p.ack)
	tcp[12], tcp[13] = 5<<4, p.flags // header length
	binary.BigEndian.PutUint16(tcp[14:], p.window)
	b = append(b, payload...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[36:], checksum(pseudoHeader(src, dst, b[20:])))
	return b
}

// pseudoHeader is a TCP segment with what comes before it for its checksum over
// IPv4 (RFC 9293, 3.1), to an even number of bytes.
func pseudoHeader(src, dst [4]byte, tcp []byte) []byte {
	b := slices.Concat(src[:], dst[:], []byte{0, unix.IPPROTO_TCP})
	b = binary.BigEndian.AppendUint16(b, uint16(len(tcp)))
	b = append(b, tcp...)
	return append(b, make([]byte, len(tcp)%2)...)
}
