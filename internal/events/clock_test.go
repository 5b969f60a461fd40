// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeClocks are the two clocks, the time that passes between two readings, and
// a hook that is called before each.
type fakeClocks struct {
	boot, offset time.Duration
	pauses       []time.Duration // before each reading in turn, then none
}

func (f *fakeClocks) read(id int32) int64 {
	if len(f.pauses) > 0 {
		f.boot += f.pauses[0]
		f.pauses = f.pauses[1:]
	}
	if id == unix.CLOCK_REALTIME {
		return int64(f.boot + f.offset)
	}
	return int64(f.boot)
}

// TestClockSteady: being interrupted between two readings does not move the
// times of events, a clock that is set does.
func TestClockSteady(t *testing.T) {
	const ms = time.Millisecond
	f := &fakeClocks{boot: time.Hour, offset: 1000 * time.Hour}
	c := newClock(ms, f.read)
	at := func() time.Duration { return time.Duration(c.time(0).UnixNano()) }
	if at() != f.offset {
		t.Fatalf("offset %s, want %s", at(), f.offset)
	}
	for _, pauses := range [][]time.Duration{
		{0, 20 * ms}, {20 * ms, 0}, {0, 0, 20 * ms}, {0, 20 * ms, 0, 0, 20 * ms, 0, 0, 20 * ms, 0},
		{0, 20 * ms, 0, 20 * ms, 0, 20 * ms, 0, 20 * ms, 0, 20 * ms, 0, 20 * ms, 0, 20 * ms, 0, 20 * ms},
	} {
		f.pauses = pauses
		if step := c.set(); step != 0 || at() != 1000*time.Hour {
			t.Errorf("pauses %v: a step of %s, offset %s", pauses, step, at())
		}
	}
	for _, step := range []time.Duration{-time.Hour, time.Hour, 50 * ms, -2 * ms} {
		f.pauses = nil
		f.offset += step
		if got := c.set(); got != step || at() != f.offset {
			t.Errorf("set by %s: a step of %s, offset %s", step, got, at())
		}
		if again := c.set(); again != 0 {
			t.Errorf("set by %s: and then again by %s", step, again)
		}
	}
}

// TestSpansOfEachKernel: what the kernel holds as jiffies are the seconds that
// were set, whatever its HZ; a tick of 1/300 s has no whole number of ns.
func TestSpansOfEachKernel(t *testing.T) {
	for hz, tick := range map[uint32]time.Duration{100: 10_000_000, 250: 4_000_000, 300: 3_333_333, 1000: 1_000_000} {
		r := probeRecord()
		r.Idle, r.Intvl, r.IdleFor = 60*hz, 75*hz, 85*hz
		var got Event
		if err := NewTracker(tick).Record(&r, func(e *Event) error { got = *e; return nil }); err != nil {
			t.Fatal(err)
		}
		if k := got.Keepalive; k.Idle != time.Minute || k.Interval != 75*time.Second || got.IdleFor != 85*time.Second {
			t.Errorf("HZ %d: idle %s, interval %s, idle for %s; want 1m, 1m15s, 1m25s", hz, k.Idle, k.Interval, got.IdleFor)
		}
	}
}
