// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"time"

	"katrace/internal/events"
)

// foresee sets when the next probe is due and when the kernel gives up, where
// both can be known.
//
// The keepalive timer's own countdown is not the answer: data that the peer
// sends does not set the timer anew, so it may fire while the connection is not
// idle long enough, and is then set to what remains (tcp_keepalive_timer).
func (s *Socket) foresee() {
	const needs = HasOn | HasSettings | HasUnanswered | HasIdleFor | hasTimer
	if s.Has&needs != needs || !s.On || s.WaitsFor != WaitsProbe || s.unsent {
		return
	}
	next := max(s.timer, s.Settings.Idle-s.IdleFor, 0)
	s.DiesIn = s.Settings.DiesIn(s.Unanswered, s.IdleFor, next)
	s.Has |= HasDiesIn
	if s.DiesIn > next { // else the next firing gives up instead of probing
		s.NextProbe = next
		s.Has |= HasNextProbe
	}
}

// Slack is by how much the kernel's timer wheel may fire a timer late that is
// set to run for d: a wheel of levels, each eight times as coarse as the one
// before, and the expiry is rounded up (kernel/time/timer.c, LVL_GRAN). About
// an eighth of d at worst: two hours may become two hours and two minutes.
func Slack(d, jiffy time.Duration) time.Duration {
	const (
		levelSize  = 64
		clockShift = 3
		levels     = 9
	)
	ticks, gran := d/jiffy, time.Duration(1)
	for level := 1; level < levels && ticks >= (levelSize-1)<<((level-1)*clockShift); level++ {
		gran = 1 << (level * clockShift)
	}
	return gran * jiffy
}

// Period is the time between two probes on an idle connection whose peer
// answers, at the longest. It is not TCP_KEEPIDLE alone: after each probe the
// kernel sets the timer to TCP_KEEPINTVL, answered or not, and looks at the
// idle time only when it fires.
func Period(s events.Settings) time.Duration { return max(s.Idle, s.Interval) }

// Step is one firing of the keepalive timer of a socket whose peer is silent.
type Step struct {
	Probe int           // number of the probe sent, 0: the connection is given up
	At    time.Duration // since the last segment from the peer
	// Latest is At with the timer's slack, its own and that of those before it.
	Latest time.Duration
}

// Timeline is what the kernel does about a peer that was last heard idleFor
// ago and to which unanswered probes are out, by the settings: each probe, and
// last the giving up. The timer fires in next.
func Timeline(s events.Settings, unanswered int, idleFor, next, jiffy time.Duration) []Step {
	var steps []Step
	end := idleFor + s.DiesIn(unanswered, idleFor, next)
	at, latest := idleFor+next, idleFor+next+Slack(next, jiffy)
	for n := unanswered + 1; at < end; n++ {
		steps = append(steps, Step{n, at, latest})
		at, latest = at+s.Interval, latest+s.Interval+Slack(s.Interval, jiffy)
	}
	return append(steps, Step{0, at, latest})
}
