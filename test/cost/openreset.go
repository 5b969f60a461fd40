// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// How many connections are opened and reset.
const openings = 2000

// openAndReset opens connections without keepalive and closes each with RST, and
// returns the time that these n took. Both ends go to CLOSE, the one reset with an
// error: what a tracer adds to it the end of every connection of the system pays.
func (b *bench) openAndReset() (took time.Duration, n int, err error) {
	took, err = b.undisturbed(everything, func() (time.Duration, error) {
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
	return took, openings, err
}
