// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"katrace/internal/conn"
)

// TestSorted: the order by keys is that of the addresses, whatever they are: absent,
// IPv4, IPv6, IPv4-mapped ones that were not unmapped, and those that differ in nothing
// that a key holds.
func TestSorted(t *testing.T) {
	ends := []netip.AddrPort{{}}
	for _, addr := range []string{"0.0.0.0", "10.0.0.1", "10.0.0.2", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::ffff:10.0.0.2",
		"2001:db8::1", "2001:db8::2", "2001:db8:1::1", "ff02::1", "fe80::1"} {
		for _, port := range []uint16{0, 1, 80, 0xffff} {
			ends = append(ends, netip.AddrPortFrom(netip.MustParseAddr(addr), port))
		}
	}
	var sockets []Socket
	for _, netns := range []uint32{0, 1, 4026531840, 0xffffffff} {
		for _, local := range ends {
			for _, remote := range ends {
				sockets = append(sockets, Socket{State: conn.State{Netns: netns, Local: local, Remote: remote}})
			}
		}
	}
	if len(sockets) <= 2*pieceRows {
		t.Fatalf("%d sockets are no more than two pieces", len(sockets))
	}
	for range 3 {
		rand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
		for _, n := range []int{0, 1, 2, 3, len(sockets)} {
			got := sorted(sockets[:n])
			if len(got) != n {
				t.Fatalf("%d sockets of %d", len(got), n)
			}
			if !slices.IsSortedFunc(got, byAddresses) {
				t.Errorf("%d sockets are in another order", n)
			}
			slices.SortFunc(got, byAddresses)
			if len(slices.CompactFunc(got, func(a, b *Socket) bool { return a == b })) != n {
				t.Errorf("of %d sockets one is there twice", n)
			}
		}
	}
}

// TestSortedAgain: sockets of the same address are in the same order in each list.
func TestSortedAgain(t *testing.T) {
	workers := make([]Socket, 100)
	for i := range workers {
		workers[i] = Socket{State: conn.State{Netns: 1, Inode: uint64(i), Local: netip.MustParseAddrPort("0.0.0.0:443")}}
	}
	for range 3 {
		rand.Shuffle(len(workers), func(i, j int) { workers[i], workers[j] = workers[j], workers[i] })
		for _, by := range []string{"", "local", "state", "remote"} {
			for i, s := range (&List{Sockets: workers}).Rows(by).rows {
				if s.Inode != uint64(i) {
					t.Fatalf("by %q: place %d is socket %d's", by, i, s.Inode)
				}
			}
		}
	}
}
