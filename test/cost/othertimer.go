// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A delayed ACK's timer runs for 40 ms at least (TCP_DELACK_MIN). Its timers have
// to be set before the first fires.
const (
	delay     = 40 * time.Millisecond
	setWithin = 35 * time.Millisecond
	most      = 1000 // connections
)

// otherTimers lets a timer fire that is not keepalive's, the delayed ACK's, once
// for each of some connections, and returns the time that these n firings took, the
// ACKs that they send included: what a tracer adds to it every timer of the system
// pays.
func (b *bench) otherTimers() (took time.Duration, n int, err error) {
	conns := b.conns[:min(len(b.conns), most)]
	for _, c := range conns {
		// From here on the peer's end delays its ACKs ("pingpong mode").
		if err := unix.SetsockoptInt(c.server, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0); err != nil {
			return 0, 0, err
		}
	}
	start := time.Now()
	for _, c := range conns {
		if _, err := unix.Write(c.client, []byte{0}); err != nil {
			return 0, 0, fmt.Errorf("write: %w", err)
		}
	}
	set := time.Since(start)
	if set > setWithin {
		return 0, 0, fmt.Errorf("%w: %d bytes took %v, and the first ACK is sent before the last byte", errDisturbed, len(conns), set)
	}
	took, err = b.undisturbed(softirqs, func() (time.Duration, error) { return b.watch(start, set+delay+slack), nil })
	if err != nil {
		return 0, 0, err
	}
	for _, c := range conns {
		left, err := unix.IoctlGetInt(c.client, unix.TIOCOUTQ)
		if err != nil {
			return 0, 0, fmt.Errorf("ask what is not acknowledged: %w", err)
		}
		if left != 0 {
			return 0, 0, fmt.Errorf("%w: %d bytes are not acknowledged yet", errDisturbed, left)
		}
		if _, err := unix.Read(c.server, make([]byte, 1)); err != nil {
			return 0, 0, fmt.Errorf("read: %w", err)
		}
	}
	return took, len(conns), nil
}
