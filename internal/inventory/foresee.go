// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"math"
	"time"

	"katrace/internal/jiffies"
)

// foresee sets when the next probe is due and when the kernel gives up, where
// both can be known.
//
// The keepalive timer's own countdown is not the answer: data that the peer
// sends does not set the timer anew, so it may fire while the connection is not
// idle long enough, and is then set to what remains (tcp_keepalive_timer).
func (s *Socket) foresee(hz jiffies.HZ) {
	s.judge()
	const needs = HasOn | HasSettings | HasProbesOut | HasIdleFor | hasTimer
	if s.Has&needs != needs || !s.On || s.WaitsFor != WaitsProbe || s.unsent {
		return
	}
	s.ArmedBeforeChange = s.overlong(hz)
	next := max(s.timer, s.Settings.Idle-s.IdleFor, 0)
	s.DiesIn = s.Settings.DiesIn(s.ProbesOut, s.IdleFor, next)
	s.Has |= HasDiesIn
	if s.DiesIn > next { // else the next firing gives up instead of probing
		s.NextProbe = next
		s.Has |= HasNextProbe
	}
}

// judge sets how many probes are unanswered, how many of them left since the
// peer was last heard, and whether it is silent.
//
// The kernel's count of probes alone does not tell. Data from the peer need not
// clear it, so some may be from before the peer was last heard; and it wraps at
// 256. What bounds it: a probe only leaves when the peer has been silent for
// Idle, and another one when Interval has passed since.
func (s *Socket) judge() {
	if s.Has&HasProbesOut == 0 {
		return
	}
	s.Unanswered, s.SinceHeard, s.Has = s.ProbesOut, s.ProbesOut, s.Has|HasUnanswered
	const needs = HasSettings | HasIdleFor
	if s.WaitsFor != WaitsProbe || s.Has&needs != needs {
		return // they may be zero-window probes, or there is nothing to bound them by
	}
	// Two readings of one clock, to a jiffy each.
	const within = 20 * time.Millisecond
	// How long the peer had been silent when the last probe left, at the most:
	// since then the timer has been running for Interval. One that was set to
	// run for longer was set by something else, such as setsockopt.
	silent, byProbe := s.IdleFor, false
	if s.Has&hasTimer != 0 && s.timer <= s.Settings.Interval+within {
		silent, byProbe = silent-max(0, s.Settings.Interval-s.timer), true
	}
	most := 0
	if beyond := silent - s.Settings.Idle + within; beyond >= 0 {
		most = 1 + int(beyond/max(s.Settings.Interval, time.Millisecond))
	}
	if s.Settings.UserTimeout != 0 && byProbe && most > math.MaxUint8 {
		s.Unanswered, s.SinceHeard, s.Has, s.Silent = 0, 0, s.Has&^HasUnanswered, true
		return
	}
	s.SinceHeard = min(s.ProbesOut, most)
	s.Silent = s.SinceHeard > 1
}
