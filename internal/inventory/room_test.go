// SPDX-License-Identifier: BSD-2-Clause

package inventory

import "testing"

// TestRoom: what is wanted of a host's sockets has room for a few times as many, not for
// all sockets that there are: where few are wanted of a million, that would be half a
// gigabyte.
func TestRoom(t *testing.T) {
	const inUse = 1_000_000
	for _, tt := range []struct{ wanted, max, most int }{
		{1, 0, 1024}, {1025, 0, 4 * 1025}, {100_000, 0, 400_000}, {100_000, 110_000, 110_000}, {inUse, 0, inUse},
	} {
		g := &gatherer{list: &List{}, o: &Options{Max: tt.max}, inUse: inUse}
		var s Socket
		for range tt.wanted {
			g.keep(&s)
		}
		// A slice that grows to less than twice its size gets a quarter more.
		if got := cap(g.list.Sockets); got > tt.most+tt.most/4 {
			t.Errorf("%d wanted of %d, %d at most: room for %d", tt.wanted, inUse, tt.max, got)
		}
	}
}
