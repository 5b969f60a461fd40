// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"net/netip"
	"slices"
)

// once leaves out the sockets that are there again. The kernel's dumps go
// through its table a piece at a time, and show a socket twice that is moved
// within it meanwhile. The address in the kernel alone does not tell: a new
// socket may have that of one which has just gone, but then the connection is
// another.
//
// That the numbers are sorted, and not put in a map, is because hardly ever one
// is there again: it takes a fraction of the time and of the memory.
func once(sockets []Socket) []Socket {
	ids := make([]uint64, len(sockets))
	for i := range sockets {
		ids[i] = sockets[i].id
	}
	slices.Sort(ids)
	again := map[uint64]bool{}
	for i := range ids[:max(1, len(ids))-1] {
		if ids[i] == ids[i+1] {
			again[ids[i]] = true
		}
	}
	if len(again) == 0 {
		return sockets
	}
	type identity struct {
		id            uint64
		netns         uint32
		local, remote netip.AddrPort
	}
	seen := map[identity]bool{}
	return slices.DeleteFunc(sockets, func(s Socket) bool {
		if !again[s.id] {
			return false
		}
		c := identity{s.id, s.Netns, s.Local, s.Remote}
		was := seen[c]
		seen[c] = true
		return was
	})
}
