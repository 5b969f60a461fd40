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
	Dead   bool // only ends: reset, peer_reset
	Silent bool // only unanswered: a probe after an unanswered one, or that did not leave
}

// Match says whether the event is wanted. KindLost always is.
func (f *Filter) Match(e *Event) bool {
	return f.MatchBesidesOwner(e) && (e.Kind == KindLost || f.Owner.Match(&e.Owner))
}

// MatchBesidesOwner is Match, whoever the owner is.
func (f *Filter) MatchBesidesOwner(e *Event) bool {
	if e.Kind == KindLost {
		return true
	}
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, e.Kind) {
		return false
	}
	if (f.Dead || f.Silent) && !(f.Dead && e.Kind.Ends() || f.Silent && isSilent(e)) {
		return false
	}
	return f.Socket.Match(&e.State)
}

// The kinds of events that Dead and Silent leave.
var (
	EndKinds    = []Kind{KindReset, KindPeerReset}
	SilentKinds = []Kind{KindProbe, KindICMP}
)

// Ends says that the kind is a connection's end, with an error that its
// application reads.
func (k Kind) Ends() bool { return slices.Contains(EndKinds, k) }

func isSilent(e *Event) bool {
	return slices.Contains(SilentKinds, e.Kind) && (e.Kind != KindProbe || e.Unanswered > 1 || e.SendError != "")
}
