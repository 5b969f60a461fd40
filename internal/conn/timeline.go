// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"math"
	"sort"
	"time"

	"katrace/internal/jiffies"
)

// Timeline is what the kernel does about a silent peer: each probe, and last
// the giving up. It holds no list of them: a user timeout of weeks with an
// interval of a jiffy are billions of probes.
type Timeline struct {
	Probes int // still to be sent
	Every  time.Duration
	out    int // probes that the kernel counts already
	first  Step
	slack  time.Duration // of the timer when it runs for Every
	latest time.Duration // the giving up, however late the timers are
}

// Step is one firing of the keepalive timer of a socket whose peer is silent.
type Step struct {
	Probe int           // number of the probe sent, by the kernel's count; 0: the connection is given up
	At    time.Duration // since the last segment from the peer
	// Latest is At with the timer's slack, its own and that of those before it.
	Latest time.Duration
}

// NewTimeline is what the kernel does, by the settings, about a peer that was
// last heard idleFor ago; out and next are those of Settings.ProbesLeft.
func NewTimeline(s Settings, out int, idleFor, next time.Duration, hz jiffies.HZ) Timeline {
	s.Interval = max(s.Interval, hz.Tick()) // 0 by sysctl: it fires at every tick
	t := Timeline{
		Probes: s.ProbesLeft(out, idleFor, next), Every: s.Interval, out: out,
		first: Step{At: idleFor + next, Latest: idleFor + next + hz.Slack(next)},
		slack: hz.Slack(s.Interval), latest: Forever,
	}
	if s.UserTimeout != 0 {
		// The first firing after the user timeout gives up, however many there were,
		// or the next one if the kernel's count is 0: no probe is out, or 256 are.
		first, after := 0, 1
		if uint8(out) == 0 {
			first++
		}
		if int(uint8(out))+t.Probes > math.MaxUint8 {
			after++
		}
		t.latest = max(After(t.first.Latest, first, t.Every+t.slack), After(s.UserTimeout, after, t.Every+t.slack))
	}
	return t
}

// Step is the i-th firing from now on, from 0 to Probes: the last one gives up.
func (t *Timeline) Step(i int) Step {
	s := Step{At: After(t.first.At, i, t.Every)}
	s.Latest = max(s.At, min(After(t.first.Latest, i, t.Every+t.slack), t.latest))
	if i < t.Probes {
		s.Probe = t.out + i + 1
	}
	return s
}

// End is the giving up.
func (t *Timeline) End() Step { return t.Step(t.Probes) }

// Reaches is the first firing from the i-th on that may be so late as that;
// false: none is before the giving up.
func (t *Timeline) Reaches(i int, d time.Duration) (Step, bool) {
	i += sort.Search(max(0, t.Probes-i), func(n int) bool { return t.Step(i+n).Latest >= d })
	return t.Step(i), i < t.Probes
}
