// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// opening is said on stderr at the start: how katrace is attached, and what it
// cannot know that way.
func opening(t *loader.Tracer, debug bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "attached by %s", t.Backend)
	if len(t.Passed) > 0 && !debug {
		names := make([]string, len(t.Passed))
		for i, err := range t.Passed {
			names[i], _, _ = strings.Cut(err.Error(), ":")
		}
		fmt.Fprintf(&b, " (%s cannot be: see katrace doctor)", strings.Join(names, ", "))
	}
	if len(t.Lacks) > 0 {
		fmt.Fprintf(&b, "; not known this way: %s", strings.Join(t.Lacks, ", "))
	}
	for _, what := range owner.Hidden() {
		fmt.Fprintf(&b, "\nkatrace: not seen from here: %s", what)
	}
	if debug {
		for _, err := range t.Passed {
			fmt.Fprintf(&b, "\nkatrace: passed over %v", err)
		}
		if t.Slow != nil {
			fmt.Fprintf(&b, "\nkatrace: most fields are read by a call, for the kernel refused the faster programs: %v", t.Slow)
		}
		if t.Unwitnessed != nil {
			fmt.Fprintf(&b, "\nkatrace: firings that no program ran for cannot be counted: %v", t.Unwitnessed)
		}
	}
	return b.String()
}

// noteClock says that the wall clock was set: the times of events jump with it.
func (s *stream) noteClock(by time.Duration) {
	if by == 0 {
		return
	}
	s.clockSet += by
	if s.say != nil {
		fmt.Fprintf(s.say, "katrace: the wall clock was set %s: times of events follow it from here on\n", clockWords(by))
	}
}

// clockWords is "back by 1h0m0s" or "forward by 2s".
func clockWords(by time.Duration) string {
	if by < 0 {
		return "back by " + (-by).Round(time.Millisecond).String()
	}
	return "forward by " + by.Round(time.Millisecond).String()
}

// noteNames says, once, that the home directory of a user does not answer.
func (s *stream) noteNames(home string, uid uint32) {
	if home == "" || s.late != "" {
		return
	}
	s.late = fmt.Sprintf("names of users' containers are late: %s, the home of uid %d, does not answer", conn.Safe(home), uid)
	if s.say != nil {
		fmt.Fprintf(s.say, "katrace: %s\n", s.late)
	}
}

// summary is said on stderr at the end.
func (s *stream) summary(took time.Duration) string {
	lost := "nothing lost"
	if s.reported.Total() > 0 {
		lost = string(events.AppendWords(nil, &events.Event{Kind: events.KindLost, Lost: s.reported}))
	}
	if s.leftOut > 0 {
		lost += "; " + string(events.AppendWords(nil, &events.Event{Kind: events.KindLost, LeftOut: s.leftOut}))
	}
	said := fmt.Sprintf("%s in %s, %s", conn.AppendCount(nil, s.told, "event"), conn.AppendSpan(nil, took), lost)
	if s.clockSet.Abs() >= leastClockSet {
		said += "; the wall clock was set " + clockWords(s.clockSet) + " under way"
	}
	if s.late != "" && s.say == nil {
		said += "; " + s.late
	}
	return said
}
