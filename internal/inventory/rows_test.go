// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
)

// TestSort: each order, what is not known last, and what is the same in that by
// namespace and addresses.
func TestSort(t *testing.T) {
	const has = conn.HasUnanswered | conn.HasIdleFor | conn.HasNext | conn.HasDiesIn
	socket := func(name string, remote string, state conn.TCPState, idle, next, dies time.Duration, has conn.Fact) Socket {
		s := Socket{
			State: conn.State{Netns: 1, TCPState: state, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort(remote), WaitsFor: conn.WaitsProbe, Has: has},
			Timer: conn.Timer{IdleFor: idle * time.Second, Next: next * time.Second, DiesIn: dies * time.Second},
		}
		if name != "" {
			s.Process = conn.Process{PID: 1 + int(name[0]), Comm: name}
		}
		return s
	}
	sockets := []Socket{
		socket("b", "10.0.0.9:1", 8, 5, 55, 100, has),
		socket("", "10.0.0.9:2", 1, 0, 0, 0, 0),
		socket("a", "10.0.0.8:3", 1, 50, 10, 200, has),
		socket("c", "10.0.0.7:4", 6, 20, 60, 61, has),
		socket("a", "10.0.0.8:5", 1, 50, 10, 200, has),
	}
	sockets[4].Netns = 0
	sockets[0].Unanswered, sockets[3].Unanswered = 2, 9
	orders := []struct{ order, want string }{
		{"local", "54312"}, // namespace 0 first
		{"remote", "43512"},
		{"state", "53241"},
		{"owner", "53142"},
		{"idle", "53412"},
		{"next", "53142"},
		{"dies", "41532"},
		{"unanswered", "41532"},
	}
	for _, tt := range orders {
		for range 3 { // whichever order they come in
			slices.Reverse(sockets)
			var got strings.Builder
			for _, s := range (&List{Sockets: sockets}).Rows(tt.order).rows {
				got.WriteByte(byte('0' + s.Remote.Port()))
			}
			if got.String() != tt.want {
				t.Errorf("--sort %s: %s, want %s", tt.order, got.String(), tt.want)
			}
		}
	}
	if got := len(Orders()); got != len(orders) {
		t.Errorf("%d orders, %d were tried", got, len(orders))
	}
}
