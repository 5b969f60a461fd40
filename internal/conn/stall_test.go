// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"testing"
	"time"
)

func TestModelTimeout(t *testing.T) {
	for _, tt := range []struct {
		retries int
		rtoMax  time.Duration
		want    time.Duration
	}{
		// Documentation/networking/ip-sysctl.rst: 15 are 924.6 s.
		{15, 120 * time.Second, 924600 * time.Millisecond},
		{0, 120 * time.Second, 200 * time.Millisecond},
		{3, 120 * time.Second, 3 * time.Second},
		{8, 120 * time.Second, 102200 * time.Millisecond},
		{9, 120 * time.Second, 204600 * time.Millisecond},
		{10, 120 * time.Second, 324600 * time.Millisecond},
		{255, 120 * time.Second, 204600*time.Millisecond + 246*120*time.Second},
		{15, time.Second, 1400*time.Millisecond + 13*time.Second}, // TCP_RTO_MAX_MS
	} {
		if got := modelTimeout(tt.retries, tt.rtoMax); got != tt.want {
			t.Errorf("%d retries, at most %v: %v, want %v", tt.retries, tt.rtoMax, got, tt.want)
		}
	}
}

func TestStallDiesIn(t *testing.T) {
	const now = 1_000_000
	// 1.65 s after the first retransmission, HZ 250: the next is due in 1.2 s. The
	// wheel rounds up to 8 jiffies then, and to 64 after it.
	stall := func(change func(*Stall)) Stall {
		s := Stall{WaitsFor: WaitsRetransmission, HZ: 250, Since: 1650 * time.Millisecond, Now: now, Expires: now + 300, Level: 255,
			RTO: 408, RTOMax: 30000, Retries2: 3}
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name  string
		stall Stall
		want  time.Duration
		sure  bool
	}{
		{"not over at the next firing, but at the one after", stall(func(*Stall) {}), 4608 * time.Millisecond, true},
		{"over at the next firing", stall(func(s *Stall) { s.Retries2 = 2 }), 1216 * time.Millisecond, true},
		{"the level of the wheel is known", stall(func(s *Stall) { s.Retries2, s.Level = 2, 0 }), 1204 * time.Millisecond, true},
		{"user timeout, which the timer is set to", stall(func(s *Stall) { s.UserTimeout = 5 * time.Second }), 3584 * time.Millisecond, true},
		{"not known since when", stall(func(s *Stall) { s.Since = 0 }), 0, false},
		{"overdue", stall(func(s *Stall) { s.Retries2, s.Expires = 1, now-100 }), 0, true},
		{"window, by the user timeout", stall(func(s *Stall) { s.WaitsFor, s.UserTimeout = WaitsWindowProbe, 5*time.Second }), 3584 * time.Millisecond, true},
		{"window, for as long as the peer answers", stall(func(s *Stall) { s.WaitsFor = WaitsWindowProbe }), 0, false},
		{"beyond all measure", stall(func(s *Stall) { s.Retries2, s.RTO, s.RTOMax = 255, 1<<31, 1<<31 }), Forever, true},
		{"without a rate", stall(func(s *Stall) { s.HZ = 0 }), 0, false},
	} {
		got, sure := tt.stall.DiesIn()
		if got != tt.want || sure != tt.sure {
			t.Errorf("%s: %v, sure %t; want %v, %t", tt.name, got, sure, tt.want, tt.sure)
		}
	}
}
