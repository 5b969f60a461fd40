// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// simulate plays tcp_keepalive_timer() (net/ipv4/tcp_timer.c) for a peer that
// stays silent, firing by firing, in ticks of a millisecond; it returns when
// tcp_send_active_reset() is called, and how many probes were sent before.
func simulate(s Settings, out int, idleFor, next time.Duration) (end time.Duration, probes int) {
	interval := max(s.Interval, time.Millisecond) // a timer set for now fires at the next tick
	probesOut := uint8(out)                       // icsk_probes_out
	for now := next; ; now += interval {
		elapsed := idleFor + now
		if s.UserTimeout != 0 && elapsed >= s.UserTimeout && probesOut > 0 ||
			s.UserTimeout == 0 && int(probesOut) >= s.Count {
			return now, probes
		}
		probesOut++
		probes++
	}
}

func TestDiesIn(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name          string
		settings      Settings
		out           int
		idleFor, next time.Duration
		want          time.Duration
	}{
		{"from the last segment on", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6}, 0, 0, 60 * s, 120 * s},
		{"the kernel's defaults, 2h11m15s", Settings{Idle: 7200 * s, Interval: 75 * s, Count: 9}, 0, 0, 7200 * s, 7875 * s},
		{"two probes out", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6}, 2, 70 * s, 10 * s, 50 * s},
		{"the last probe is out", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6}, 6, 110 * s, 10 * s, 10 * s},
		{"the count was lowered meanwhile", Settings{Idle: 60 * s, Interval: 10 * s, Count: 1}, 4, 90 * s, 10 * s, 10 * s},
		{"the user timeout decides, not the count", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6, UserTimeout: 75 * s}, 1, 60 * s, 10 * s, 20 * s},
		{"one below the idle time still costs a probe", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6, UserTimeout: 30 * s}, 0, 0, 60 * s, 70 * s},
		{"one met exactly at a firing", Settings{Idle: 60 * s, Interval: 10 * s, Count: 6, UserTimeout: 80 * s}, 1, 60 * s, 10 * s, 20 * s},
		{"heard by data after three probes, which still count", Settings{Idle: 6 * s, Interval: s, Count: 5}, 3, 0, 6 * s, 8 * s},
		{"heard by data after all of them: the next idle firing gives up", Settings{Idle: 6 * s, Interval: s, Count: 5}, 5, 0, 6 * s, 6 * s},
		{"heard by data, the user timeout is over before it is idle", Settings{Idle: 6 * s, Interval: s, Count: 5, UserTimeout: 3 * s}, 1, 0, 6 * s, 6 * s},
		{"256 out are none to the kernel", Settings{Idle: s, Interval: s, Count: 5, UserTimeout: 256 * s}, 255, 255 * s, 0, 2 * s},
		{"300 out are 44", Settings{Idle: s, Interval: s, Count: 50}, 300, 300 * s, s, 7 * s},
		{"interval 0 by sysctl, user timeout", Settings{Idle: 60 * s, Count: 6, UserTimeout: 75 * s}, 1, 60 * s, 0, 15 * s},
	} {
		if got := tt.settings.DiesIn(tt.out, tt.idleFor, tt.next); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		end, probes := simulate(tt.settings, tt.out, tt.idleFor, tt.next)
		if end != tt.want {
			t.Errorf("%s: the simulated kernel says %s, want %s: one of the two is wrong", tt.name, end, tt.want)
		}
		if got := tt.settings.ProbesLeft(tt.out, tt.idleFor, tt.next); got != probes {
			t.Errorf("%s: %d probes left, the simulated kernel sends %d", tt.name, got, probes)
		}
	}
}

// TestDiesInIsTheKernels holds the closed form against the simulation, over
// settings and moments of every kind.
func TestDiesInIsTheKernels(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	upTo := func(limit int) time.Duration { return time.Duration(rnd.IntN(limit)) * time.Millisecond }
	for range 50_000 {
		s := Settings{Idle: upTo(20_000), Interval: time.Millisecond + upTo(5_000), Count: rnd.IntN(12)}
		if rnd.IntN(2) == 0 {
			s.UserTimeout = upTo(40_000)
		}
		if rnd.IntN(4) == 0 { // whole multiples meet the limits exactly
			s.Interval, s.Idle, s.UserTimeout = time.Second, s.Idle.Truncate(time.Second), s.UserTimeout.Truncate(time.Second)
		}
		out, idleFor, next := rnd.IntN(14), upTo(30_000), upTo(6_000)
		if rnd.IntN(4) == 0 {
			out = rnd.IntN(600)
		}
		end, probes := simulate(s, out, idleFor, next)
		if got := s.DiesIn(out, idleFor, next); got != end || s.ProbesLeft(out, idleFor, next) != probes {
			t.Fatalf("%+v, %d out, idle for %s, next firing in %s: dies in %s after %d probes, the kernel's rule says %s and %d",
				s, out, idleFor, next, got, s.ProbesLeft(out, idleFor, next), end, probes)
		}
	}
}

// TestDiesInHasAnEnd: times that no kernel has, but that a recording or a sysctl
// may hold, do not overflow.
func TestDiesInHasAnEnd(t *testing.T) {
	const most = math.MaxInt64
	for _, s := range []Settings{
		{Idle: most, Interval: most, Count: 255},
		{Idle: most, Interval: most, Count: 255, UserTimeout: most},
		{Interval: 1, UserTimeout: most},
		{UserTimeout: most},
		{Idle: 1 << 32 * 10 * time.Millisecond, Interval: 1 << 32 * 10 * time.Millisecond, Count: 255},
		{Idle: -most, Interval: -most, Count: -1, UserTimeout: -most},
	} {
		for _, d := range []time.Duration{0, 1, most, -most} {
			got := s.DiesIn(0, d, max(s.Idle, 0))
			if got < 0 || got > Forever || s.ProbesLeft(0, d, max(s.Idle, 0)) < 0 {
				t.Errorf("%+v, idle for %d: dies in %d after %d probes", s, d, got, s.ProbesLeft(0, d, max(s.Idle, 0)))
			}
		}
	}
}
