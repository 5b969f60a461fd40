// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"math"
	"time"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// foresee sets when the next probe is due and when the kernel gives up, as far as
// that can be known.
//
// The keepalive timer's own countdown is not the answer: data that the peer
// sends does not set the timer anew, so it may fire while the connection is not
// idle long enough, and is then set to what remains (tcp_keepalive_timer).
func (s *Socket) foresee(hz jiffies.HZ) {
	s.judge()
	if s.stall != nil {
		if dies, sure := s.stall.DiesIn(); sure {
			s.DiesIn, s.Has = dies, s.Has|conn.HasDiesIn
		}
	}
	const needs = HasOn | conn.HasKeepalive | HasProbesOut | conn.HasIdleFor | hasTimer
	if s.Has&needs != needs || !s.On || s.WaitsFor != conn.WaitsProbe || s.unsent {
		return
	}
	s.ArmedBeforeChange = s.Keepalive.Overlong(s.SinceHeard > 0, s.IdleFor, s.expires, hz)
	s.Next = max(s.expires, s.Keepalive.Idle-s.IdleFor, 0)
	s.DiesIn = s.Keepalive.DiesIn(s.ProbesOut, s.IdleFor, s.Next)
	s.Has |= conn.HasNext | conn.HasDiesIn
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
	s.Unanswered, s.SinceHeard, s.Has = s.ProbesOut, s.ProbesOut, s.Has|conn.HasUnanswered
	const needs = conn.HasKeepalive | conn.HasIdleFor
	if s.WaitsFor != conn.WaitsProbe || s.Has&needs != needs {
		return // they may be zero-window probes, or there is nothing to bound them by
	}
	// Two readings of one clock, to a jiffy each.
	const within = 20 * time.Millisecond
	// How long the peer had been silent when the last probe left, at the most:
	// since then the timer has been running for Interval. One that was set to
	// run for longer was set by something else, such as setsockopt.
	silent, byProbe := s.IdleFor, false
	if s.Has&hasTimer != 0 && s.expires <= s.Keepalive.Interval+within {
		silent, byProbe = silent-max(0, s.Keepalive.Interval-s.expires), true
	}
	most := 0
	if beyond := silent - s.Keepalive.Idle + within; beyond >= 0 {
		most = 1 + int(beyond/max(s.Keepalive.Interval, time.Millisecond))
	}
	if s.Keepalive.UserTimeout != 0 && byProbe && most > math.MaxUint8 {
		s.Unanswered, s.SinceHeard, s.Has, s.Silent = 0, 0, s.Has&^conn.HasUnanswered, true
		return
	}
	s.SinceHeard = min(s.ProbesOut, most)
	s.Silent = s.SinceHeard > 1
}
