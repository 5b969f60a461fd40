// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"slices"
	"strings"

	"katrace/internal/loader"
)

// Filter says which events the user wants. Values of one kind are or-ed, kinds
// are and-ed. The zero value wants all. The part that the socket can answer is
// also tested in the kernel.
type Filter struct {
	Socket loader.Filter
	Kinds  []Kind
	Dead   bool // only ends: reset, peer_reset, ended
	Silent bool // only unanswered: a probe after an unanswered one, or that did not leave
	// The owner, where it is known: an event without one does not match.
	PIDs       []int
	Comms      []string
	Cgroups    []string // the path, or one above it
	Containers []string // the id, or its beginning
}

// Match says whether the event is wanted. KindLost always is.
func (f *Filter) Match(e *Event) bool {
	return f.MatchBesidesOwner(e) && (e.Kind == KindLost || f.matchOwner(e))
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
	return f.matchSocket(e)
}

// ByOwner says whether the owner matters.
func (f *Filter) ByOwner() bool {
	return len(f.PIDs)+len(f.Comms)+len(f.Cgroups)+len(f.Containers) > 0
}

// OwnerUnknown says that what the filter asks of the owner is not known of the
// event, and that nothing that is known of it speaks against it.
func (f *Filter) OwnerUnknown(e *Event) bool {
	process := e.Process.PID == 0 && e.HeldBy != HeldByKernel
	// The root, without a process, is where cgroup v1 has all sockets.
	cgroup := e.Cgroup == "" || e.Cgroup == "/" && e.Process.PID == 0
	assumed := *f
	if process {
		assumed.PIDs, assumed.Comms = nil, nil
	}
	if cgroup {
		assumed.Cgroups, assumed.Containers = nil, nil
	}
	return (process && len(f.PIDs)+len(f.Comms) > 0 || cgroup && len(f.Cgroups)+len(f.Containers) > 0) && assumed.matchOwner(e)
}

func (f *Filter) matchSocket(e *Event) bool {
	s := &f.Socket
	if s.OnlyIPv4 != s.OnlyIPv6 && s.OnlyIPv6 != (e.Family == IPv6) {
		return false
	}
	if len(s.Netns) > 0 && !slices.Contains(s.Netns, e.Netns) {
		return false
	}
	local, remote := e.Local.Port(), e.Remote.Port()
	if len(s.Ports) > 0 && !slices.Contains(s.Ports, local) && !slices.Contains(s.Ports, remote) {
		return false
	}
	if len(s.LocalPorts) > 0 && !slices.Contains(s.LocalPorts, local) {
		return false
	}
	if len(s.RemotePorts) > 0 && !slices.Contains(s.RemotePorts, remote) {
		return false
	}
	return len(s.Prefixes) == 0 || slices.ContainsFunc(s.Prefixes, func(p netip.Prefix) bool {
		return p.Contains(e.Local.Addr()) || p.Contains(e.Remote.Addr())
	})
}

func (f *Filter) matchOwner(e *Event) bool {
	return (len(f.PIDs) == 0 || slices.Contains(f.PIDs, e.Process.PID)) &&
		(len(f.Comms) == 0 || e.Process.Comm != "" && slices.Contains(f.Comms, e.Process.Comm)) &&
		(len(f.Cgroups) == 0 || e.Cgroup != "" && slices.ContainsFunc(f.Cgroups, func(c string) bool {
			return e.Cgroup == c || strings.HasPrefix(e.Cgroup, strings.TrimSuffix(c, "/")+"/")
		})) &&
		(len(f.Containers) == 0 || e.Container != "" && slices.ContainsFunc(f.Containers, func(c string) bool {
			return strings.HasPrefix(e.Container, c)
		}))
}

// The kinds of events that Dead and Silent leave.
var (
	EndKinds    = []Kind{KindReset, KindPeerReset, KindEnded}
	SilentKinds = []Kind{KindProbe, KindICMP}
)

// Ends says that the kind is a connection's end, with an error that its
// application reads.
func (k Kind) Ends() bool { return slices.Contains(EndKinds, k) }

func isSilent(e *Event) bool {
	return slices.Contains(SilentKinds, e.Kind) && (e.Kind != KindProbe || e.Unanswered > 1 || e.SendError != "")
}
