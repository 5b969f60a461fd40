// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/internal/lab"
)

// A byte there and back, so often.
const exchanges = 10000

// exchange sends bytes to and fro over one connection, and returns the time that
// the n segments took which were received, everything included.
func (b *bench) exchange() (took time.Duration, n int, err error) {
	before, err := b.talk.segments()
	if err != nil {
		return 0, 0, err
	}
	buf := new([1]byte)
	took, err = b.undisturbed(softirqs, func() (time.Duration, error) {
		start := time.Now()
		for range exchanges {
			if err := b.talk.send(buf, b.talk.client, b.talk.server); err != nil {
				return 0, err
			}
			if err := b.talk.send(buf, b.talk.server, b.talk.client); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	})
	if err != nil {
		return 0, 0, err
	}
	after, err := b.talk.segments()
	return took, int(after - before), err
}

// send writes a byte and reads it at the other end, where lo has brought it
// already. The runtime is not told of these calls: what it does beside would
// be measured.
func (c conn) send(buf *[1]byte, from, to int) error {
	p := uintptr(unsafe.Pointer(buf))
	if n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(from), p, 1); n != 1 {
		return fmt.Errorf("write: %w", errno)
	}
	if n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(to), p, 1); n != 1 {
		return fmt.Errorf("read: %w", errno)
	}
	return nil
}

// segments is what both ends have received so far.
func (c conn) segments() (uint32, error) {
	var sum uint32
	for _, fd := range []int{c.client, c.server} {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return 0, fmt.Errorf("TCP_INFO: %w", err)
		}
		sum += info.Segs_in
	}
	return sum, nil
}

// probeSilent sends a probe to a peer that answers none: with --rtt, segments
// are looked at from then on, until the connection is closed.
func (b *bench) probeSilent() (silent conn, err error) {
	if silent, err = connect(); err != nil {
		return silent, err
	}
	if err = silent.silence(true); err != nil {
		return silent, err
	}
	if err = setIdle(int(idle.Seconds())); err != nil {
		return silent, err
	}
	before, err := lab.ProbesSent()
	if err != nil {
		return silent, err
	}
	if err = silent.arm(); err != nil {
		return silent, err
	}
	time.Sleep(idle + slack)
	after, err := lab.ProbesSent()
	if err == nil && after != before+1 {
		err = fmt.Errorf("%d probes to the silent peer, not 1", after-before)
	}
	return silent, err
}
