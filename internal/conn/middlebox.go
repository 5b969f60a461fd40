// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"time"

	"katrace/internal/enum"
	"katrace/internal/jiffies"
)

// Middlebox is a load balancer, NAT or firewall that forgets a connection on
// which nothing has moved for a while.
type Middlebox struct {
	Name    string // as --idle-limit takes it; "": none, only the time is known
	Title   string // as people call it
	Forgets time.Duration
}

// Middleboxes are those that people meet, the most forgetful first;
// docs/middleboxes.md has the sources.
var Middleboxes = []Middlebox{
	{"azure", "Azure's load balancer", 4 * time.Minute},
	{"aws-nlb", "AWS NLB", 350 * time.Second},
	{"ipvs", "IPVS", 15 * time.Minute},
}

// Period is the time between two probes on an idle connection whose peer
// answers, at the longest. It is not TCP_KEEPIDLE alone: after each probe the
// kernel sets the timer to TCP_KEEPINTVL, answered or not, and looks at the
// idle time only when it fires.
func (s Settings) Period() time.Duration { return max(s.Idle, s.Interval) }

// Timeliness says whether probes come often enough for a middlebox.
type Timeliness uint8

// The values of Timeliness.
const (
	InTime Timeliness = iota + 1
	// PerhapsTooLate: a timer that is late, as the kernel's may be, is too late.
	PerhapsTooLate
	TooLate
)

var timelinessNames = enum.Names[Timeliness]{What: "verdict on a middlebox", Words: []string{"", "in_time", "perhaps_too_late", "too_late"}}

// String is the name in the JSON: "too_late".
func (t Timeliness) String() string { return timelinessNames.Name(t) }

// Judge says whether the middlebox still remembers a connection on which a
// probe is due after that time without any segment.
func (m Middlebox) Judge(silence time.Duration, hz jiffies.HZ) Timeliness {
	switch latest := silence + hz.Slack(silence); {
	case silence > m.Forgets:
		return TooLate
	case latest > m.Forgets || silence == m.Forgets:
		return PerhapsTooLate
	}
	return InTime
}

// SafeIdle is the largest TCP_KEEPIDLE with which probes are in time.
func (m Middlebox) SafeIdle(hz jiffies.HZ) time.Duration {
	idle := min(m.Forgets-1, MaxSettable).Truncate(time.Second)
	for idle > time.Second && m.Judge(idle, hz) != InTime {
		idle -= time.Second
	}
	return max(idle, time.Second)
}

// MaxSettable is MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL (include/net/tcp.h).
const MaxSettable = 32767 * time.Second
