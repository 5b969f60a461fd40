// SPDX-License-Identifier: BSD-2-Clause

// Package jiffies is the kernel's own measure of time: how many of its ticks
// are a second, how long a number of them is, and how late a timer fires that
// was set to run for so many.
package jiffies

import (
	"fmt"
	"math/bits"
	"time"

	"golang.org/x/sys/unix"
)

// HZ is how many jiffies are a second (CONFIG_HZ). Zero is "not known": only
// Slack and Tick have an answer to that.
type HZ uint32

// rates are those that kernels for amd64 and arm64 are built with (kernel/Kconfig.hz).
var rates = [...]HZ{100, 250, 300, 1000}

// Read asks the running kernel: clock_getres(CLOCK_MONOTONIC_COARSE) is the
// length of its tick, to a nanosecond.
func Read() (HZ, error) {
	var ts unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		return 0, fmt.Errorf("read the kernel's tick length: %w", err)
	}
	if ts.Nano() <= 0 {
		return 0, fmt.Errorf("read the kernel's tick length: %d ns", ts.Nano())
	}
	return Of(time.Duration(ts.Nano())), nil
}

// Of is the rate of a kernel whose tick has that length. The length is rounded
// (TICK_NSEC: 3,333,333 ns where HZ is 300), the rate is a whole number.
func Of(tick time.Duration) HZ {
	if tick <= 0 {
		return 0
	}
	return HZ(max(1, (time.Second+tick/2)/tick))
}

// Tick is the length of one jiffy, rounded to a nanosecond. Where the rate is
// not known it is the longest there is.
func (hz HZ) Tick() time.Duration {
	if hz == 0 {
		hz = rates[0]
	}
	return (time.Second + time.Duration(hz)/2) / time.Duration(hz)
}

// Span is how long n jiffies are, to a nanosecond: n/HZ seconds, not n times
// the rounded length of a tick. 0 where the rate is not known.
func (hz HZ) Span(n uint32) time.Duration {
	if hz == 0 {
		return 0
	}
	return time.Duration(uint64(n) * uint64(time.Second) / uint64(hz)) // below 2^62
}

// ticks is how many jiffies the kernel sets a timer for that is to run for d.
func (hz HZ) ticks(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(d), uint64(hz))
	if high >= uint64(time.Second) {
		return 1<<64 - 1
	}
	n, rest := bits.Div64(high, low, uint64(time.Second))
	if rest > 0 {
		n++
	}
	return n
}

// Slack is by how much the kernel's timer wheel may fire a timer late that is
// set to run for d: a wheel of levels, each eight times as coarse as the one
// before, and the expiry is rounded up (kernel/time/timer.c, LVL_GRAN). About
// an eighth of d at worst: two hours may become two hours and two minutes at HZ
// 250, two hours and a quarter at HZ 300.
//
// Where the rate is not known it is the most by any of those that kernels are
// built with. No rate has the most for every d: a slow tick makes short timers
// late, and which long ones happen to lie in a coarse level is another matter.
func (hz HZ) Slack(d time.Duration) time.Duration {
	if hz == 0 {
		var most time.Duration
		for _, r := range rates {
			most = max(most, r.Slack(d))
		}
		return most
	}
	return hz.Span(gran(hz.ticks(d)))
}

// Fires is the jiffy at which the wheel fires a timer that is set to expire at
// expires and is in that level: as calc_index() rounds it up.
func Fires(expires uint64, level int) uint64 {
	return (expires>>(level*clockShift) + 1) << (level * clockShift)
}

const (
	levelSize  = 64
	clockShift = 3
	// Levels are those of the timer wheel (LVL_DEPTH).
	Levels = 9
)

// Level is that of the wheel for a timer that is set to run for so many jiffies.
func Level(run uint64) int {
	level := 0
	for level < Levels-1 && run >= (levelSize-1)<<(level*clockShift) {
		level++
	}
	return level
}

// gran is the granularity of the level for a timer that runs for so many
// jiffies, in jiffies: a power of two.
func gran(run uint64) uint32 { return 1 << (Level(run) * clockShift) }
