// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// TestSort: each order, what is not known last, and what is the same in that by
// namespace and addresses.
func TestSort(t *testing.T) {
	const has = inventory.HasIdleFor | inventory.HasNextProbe | inventory.HasDiesIn
	socket := func(name string, remote string, state events.State, idle, next, dies time.Duration, has inventory.Fact) inventory.Socket {
		s := inventory.Socket{Netns: 1, State: state, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort(remote),
			IdleFor: idle * time.Second, NextProbe: next * time.Second, DiesIn: dies * time.Second, Has: has}
		if name != "" {
			s.Process = events.Process{PID: 1 + int(name[0]), Comm: name}
		}
		return s
	}
	sockets := []inventory.Socket{
		socket("b", "10.0.0.9:1", 8, 5, 55, 100, has),
		socket("", "10.0.0.9:2", 1, 0, 0, 0, 0),
		socket("a", "10.0.0.8:3", 1, 50, 10, 200, has),
		socket("c", "10.0.0.7:4", 6, 20, 60, 30, has),
		socket("a", "10.0.0.8:5", 1, 50, 10, 200, has),
	}
	sockets[4].Netns = 0
	for _, tt := range []struct{ order, want string }{
		{"local", "54312"}, // namespace 0 first
		{"remote", "43512"},
		{"state", "53241"},
		{"owner", "53142"},
		{"idle", "53412"},
		{"next", "53142"},
		{"dies", "41532"},
	} {
		less := sortOrders[tt.order]
		if less == nil {
			t.Fatalf("no order %s", tt.order)
		}
		for range 3 { // whichever order they come in
			slices.Reverse(sockets)
			var got strings.Builder
			for _, s := range sortSockets(sockets, less) {
				got.WriteByte(byte('0' + s.Remote.Port()))
			}
			if got.String() != tt.want {
				t.Errorf("--sort %s: %s, want %s", tt.order, got.String(), tt.want)
			}
		}
	}
	if got := sortNames(); len(got) != len(sortOrders) {
		t.Errorf("%d orders, %d names", len(sortOrders), len(got))
	}
	for _, name := range sortNames() {
		if o, err := (&rawListFlags{output: "table", method: "auto", sort: name}).validate(); err != nil || o.less == nil {
			t.Errorf("--sort %s: %v", name, err)
		}
	}
}
