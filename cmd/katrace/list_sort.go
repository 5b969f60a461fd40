// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"slices"
	"time"

	"katrace/internal/inventory"
)

// sortOrders are the values of --sort. What is not known comes last.
var sortOrders = map[string]func(a, b *inventory.Socket) int{
	"local":  func(_, _ *inventory.Socket) int { return 0 },
	"remote": func(a, b *inventory.Socket) int { return a.Remote.Compare(b.Remote) },
	"state":  func(a, b *inventory.Socket) int { return cmp.Compare(a.State, b.State) },
	"owner": func(a, b *inventory.Socket) int {
		return cmp.Or(absentLast(a.Process.PID != 0, b.Process.PID != 0),
			cmp.Compare(a.Process.Comm, b.Process.Comm), cmp.Compare(a.Process.PID, b.Process.PID))
	},
	"idle": byTime(inventory.HasIdleFor, func(s *inventory.Socket) time.Duration { return -s.IdleFor }),
	"next": byTime(inventory.HasNextProbe, func(s *inventory.Socket) time.Duration { return s.NextProbe }),
	"dies": byTime(inventory.HasDiesIn, func(s *inventory.Socket) time.Duration { return s.DiesIn }),
}

func sortNames() []string {
	return []string{"local", "remote", "state", "owner", "idle", "next", "dies"}
}

func byTime(has inventory.Fact, t func(*inventory.Socket) time.Duration) func(a, b *inventory.Socket) int {
	return func(a, b *inventory.Socket) int {
		return cmp.Or(absentLast(a.Has&has != 0, b.Has&has != 0), cmp.Compare(t(a), t(b)))
	}
}

func absentLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// sortSockets orders the sockets, those that are the same in that by network
// namespace and addresses.
func sortSockets(sockets []inventory.Socket, order func(a, b *inventory.Socket) int) []*inventory.Socket {
	sorted := make([]*inventory.Socket, len(sockets))
	for i := range sockets {
		sorted[i] = &sockets[i]
	}
	slices.SortFunc(sorted, func(a, b *inventory.Socket) int {
		if c := order(a, b); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Netns, b.Netns); c != 0 {
			return c
		}
		if c := a.Local.Compare(b.Local); c != 0 {
			return c
		}
		return a.Remote.Compare(b.Remote)
	})
	return sorted
}
