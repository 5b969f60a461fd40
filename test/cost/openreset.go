// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// How many connections are opened and reset.
const openings = 2000

// openAndReset opens connections without keepalive and closes each with RST, and
// returns the time that one took. Both ends go to CLOSE, the one reset with an
// error: what a tracer adds to it the end of every connection of the system pays.
func (b *bench) openAndReset() (float64, error) {
	took, err := b.undisturbed(func() (time.Duration, error) {
		start := time.Now()
		for range openings {
			c, err := connect()
			if err != nil {
				return 0, err
			}
			err = unix.SetsockoptLinger(c.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			c.close()
			if err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	})
	return float64(took.Nanoseconds()) / openings, err
}
