// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/jiffies"
)

// clock turns the kernel's times into ours.
type clock struct {
	hz     jiffies.HZ
	offset int64 // ns to add to the boot clock for the wall clock
	read   func(id int32) int64
}

// newClock makes the clock of a kernel whose tick is tick long.
func newClock(tick time.Duration, read func(id int32) int64) clock {
	c := clock{hz: jiffies.Of(tick), read: read}
	c.offset, _ = c.wallOffset()
	return c
}

// readClock is a clock's time in ns.
func readClock(id int32) int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(id, &ts) // those that are asked for always exist
	return ts.Nano()
}

// wallOffset is what to add to CLOCK_BOOTTIME to get the wall clock, in ns, and
// how wrong that may be: one clock is read after the other, and much may happen
// between the two.
func (c *clock) wallOffset() (offset, within int64) {
	const good, tries = 20_000, 5
	for i := range tries {
		before := c.read(unix.CLOCK_BOOTTIME)
		wall := c.read(unix.CLOCK_REALTIME)
		after := c.read(unix.CLOCK_BOOTTIME)
		if w := (after - before + 1) / 2; i == 0 || w < within {
			offset, within = wall-before-(after-before)/2, w
		}
		if within < good {
			break
		}
	}
	return offset, within
}

// set reads the wall clock again and says by how much it was set since: 0 where
// it was not. The two clocks run at one speed (both are slewed as
// CLOCK_MONOTONIC is), so a smaller difference comes of the reading.
func (c *clock) set() time.Duration {
	const least = int64(time.Millisecond)
	offset, within := c.wallOffset()
	step := offset - c.offset
	if max(step, -step) <= least+within {
		return 0
	}
	c.offset = offset
	return time.Duration(step)
}

func (c *clock) time(bootNS uint64) time.Time {
	return time.Unix(0, int64(bootNS)+c.offset).UTC()
}

func (c *clock) span(n uint32) time.Duration { return c.hz.Span(n) }
