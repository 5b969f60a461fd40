// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"slices"

	"katrace/internal/conn"
)

// Filter says which events the user wants. Values of one kind are or-ed, kinds
// are and-ed. The zero value wants all. The part that the socket can answer is
// also tested in the kernel.
type Filter struct {
	Socket conn.SocketFilter
	Owner  conn.OwnerFilter
	Kinds  []Kind
	Dead   bool // only ends: reset, peer_reset, ended
	Silent bool // only unanswered: a probe after an unanswered one, or that did not leave; and the recovery
	// Changes: only events from which on the connection's state is another one.
	Changes bool
}

// Match says whether the event is wanted. What is about the tracing itself
// always is.
func (f *Filter) Match(e *Event) bool {
	return f.MatchBesidesOwner(e) && (e.Kind.OfTracing() || f.Owner.Match(&e.Owner))
}

// MatchBesidesOwner is Match, whoever the owner is.
func (f *Filter) MatchBesidesOwner(e *Event) bool {
	if e.Kind.OfTracing() {
		return true
	}
	if !f.Takes(e.Kind) {
		return false
	}
	if (f.Dead || f.Silent) && !(f.Dead && e.Kind.Ends() || f.Silent && isSilent(e)) {
		return false
	}
	return (!f.Changes || e.Change != 0 || e.Kind.Ends()) && f.Socket.Match(&e.State)
}

// Takes says that the filter may want events of this kind.
func (f *Filter) Takes(k Kind) bool {
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, k) {
		return false
	}
	if f.Changes && !slices.Contains(ChangeKinds, k) {
		return false
	}
	return !f.Dead && !f.Silent || f.Dead && k.Ends() || f.Silent && slices.Contains(SilentKinds, k)
}

// The kinds of events that Dead, Silent and Changes leave.
var (
	EndKinds    = []Kind{KindReset, KindPeerReset, KindEnded}
	SilentKinds = []Kind{KindProbe, KindICMP, KindDropped, KindAnswer}
	ChangeKinds = []Kind{KindProbe, KindAnswer, KindICMP, KindReset, KindPeerReset, KindEnded, KindSuspended, KindResumed}
)

// Ends says that the kind is a connection's end, with an error that its
// application reads.
func (k Kind) Ends() bool { return slices.Contains(EndKinds, k) }

func isSilent(e *Event) bool {
	switch e.Kind {
	case KindProbe:
		return e.Unanswered > 1 || e.SendError != "" || e.Verdict == VerdictSilent
	case KindAnswer:
		return e.AfterProbes > 0
	default:
		return slices.Contains(SilentKinds, e.Kind)
	}
}
