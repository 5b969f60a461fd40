// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/internal/loader"
)

// Change says that from this event on the connection's state is another one.
type Change uint8

// The changes.
const (
	ChangeSilent      Change = iota + 1 // a second probe without an answer
	ChangeUnreachable                   // an ICMP error, or a probe that did not leave
	ChangeRecovered                     // the peer was heard again, after one of these
	ChangeSuspended                     // keepalive has no say from now on
	ChangeResumed                       // it has again
	ChangeEnded
)

var changeNames = enum.Names[Change]{What: "change", Words: []string{"", "silent", "unreachable", "recovered", "suspended", "resumed", "ended"}}

// String is the name in the stream: "recovered".
func (c Change) String() string { return changeNames.Name(c) }

// ParseChange is the inverse of Change.String.
func ParseChange(s string) (Change, error) { return changeNames.Parse(s) }

// changed says what the event changes, and remembers it.
func (s *story) changed(e *Event) Change {
	switch {
	case e.Kind.Ends():
		return ChangeEnded
	case e.Kind == KindSuspended:
		return ChangeSuspended
	case e.Kind == KindResumed:
		return ChangeResumed
	case e.Kind == KindAnswer && s.failing != 0:
		s.failing = 0
		return ChangeRecovered
	case e.Verdict == VerdictSilent && s.failing == 0:
		s.failing = ChangeSilent
		return ChangeSilent
	case e.Verdict == VerdictUnreachable && s.failing != ChangeUnreachable && (e.Kind == KindProbe || e.Kind == KindICMP):
		s.failing = ChangeUnreachable
		return ChangeUnreachable
	}
	return 0
}

// recovery says after how many unanswered probes and how long the peer answers
// again; nothing after less than two, or where the first was sent before katrace
// began. It looks at the story before the answer is noted in it.
func (s *story) recovery(r *loader.Record, e *Event, span func(uint32) time.Duration) {
	if s.unheard < 2 || !s.whole || e.Has&conn.HasIdleFor == 0 {
		return
	}
	// The record is made at the answer, or at the firing after it.
	e.AfterProbes = int(s.unheard)
	if at := time.Duration(r.Time) - span(r.IdleFor); at > s.heardAt {
		e.SilentFor = at - s.heardAt
	}
}
