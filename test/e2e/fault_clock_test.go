// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFaultClock: the wall clock is set back by an hour under way, and forward
// again. The times of events follow within a second, by exactly that, and
// stderr says so; otherwise they only go on, and what is measured between
// events is not touched.
func TestFaultClock(t *testing.T) {
	if !emulated() {
		t.Skip("the wall clock is set in test/vm's guests only")
	}
	made := time.Now()
	l := newLoad(t, 20, true, 127)
	r := start(t, l.only())
	l.begin()
	time.Sleep(2500 * time.Millisecond)
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		setClock(t, by)
		time.Sleep(3 * time.Second)
	}
	l.end()
	evs := r.stop()
	var jumps []time.Duration
	for i := 1; i < len(evs); i++ {
		gap := evs[i].Time.Sub(evs[i-1].Time)
		if gap.Abs() > 30*time.Minute {
			jumps = append(jumps, gap.Round(10*time.Minute))
		} else if gap < -10*time.Millisecond { // two processors may tell in another order
			t.Errorf("event %d is %s before the one before it", i, -gap)
		}
		if idle := evs[i].IdleFor; idle < 0 || idle > time.Since(made) {
			t.Errorf("event %d: idle for %s, the connection is %s old", i, idle, time.Since(made))
		}
	}
	if fmt.Sprint(jumps) != "[-1h0m0s 1h0m0s]" {
		t.Errorf("the times of %d events jump by %v, want back by an hour and forward again", len(evs), jumps)
	}
	// The clock goes on while it is set, so the hour is one to some milliseconds.
	for _, want := range []string{"set back by (1h0m0|59m59)", "set forward by (1h0m0|59m59)"} {
		if !regexp.MustCompile("the wall clock was " + want).MatchString(r.stderr.String()) {
			t.Errorf("did not say %q: %s", want, r.stderr)
		}
	}
}

// setClock sets the wall clock by that much.
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		t.Fatal(err)
	}
	to := unix.NsecToTimespec(now.Nano() + int64(by))
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &to); err != nil {
		t.Fatal(err)
	}
}
