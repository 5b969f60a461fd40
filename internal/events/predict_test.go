// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"math/rand/v2"
	"testing"
	"time"
)

// simulate plays tcp_keepalive_timer() (net/ipv4/tcp_timer.c) for a peer that
// stays silent, firing by firing, in ticks of a millisecond; it returns when
// tcp_send_active_reset() is called.
func simulate(s Settings, unanswered int, idleFor, next time.Duration) time.Duration {
	interval := max(s.Interval, time.Millisecond) // a timer set for now fires at the next tick
	for now := next; ; now += interval {
		elapsed := idleFor + now
		if s.UserTimeout != 0 && elapsed >= s.UserTimeout && unanswered > 0 ||
			s.UserTimeout == 0 && unanswered >= s.Count {
			return now
		}
		unanswered++
	}
}

func TestDiesIn(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name          string
		settings      Settings
		unanswered    int
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
		{"interval 0 by sysctl, user timeout", Settings{Idle: 60 * s, Count: 6, UserTimeout: 75 * s}, 1, 60 * s, 0, 15 * s},
	} {
		if got := tt.settings.DiesIn(tt.unanswered, tt.idleFor, tt.next); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if got := simulate(tt.settings, tt.unanswered, tt.idleFor, tt.next); got != tt.want {
			t.Errorf("%s: the simulated kernel says %s, want %s: one of the two is wrong", tt.name, got, tt.want)
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
		unanswered, idleFor, next := rnd.IntN(14), upTo(30_000), upTo(6_000)
		if got, want := s.DiesIn(unanswered, idleFor, next), simulate(s, unanswered, idleFor, next); got != want {
			t.Fatalf("%+v, %d unanswered, idle for %s, next firing in %s: dies in %s, the kernel's rule says %s",
				s, unanswered, idleFor, next, got, want)
		}
	}
}
