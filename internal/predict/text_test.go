// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"testing"

	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// TestPredictNow: what the kernel counts from before the peer was last heard is
// told apart from what is unanswered, and a count that may have wrapped is not told.
func TestPredictNow(t *testing.T) {
	const has = inventory.HasProbesOut | conn.HasIdleFor
	for _, tt := range []struct {
		socket inventory.Socket
		want   string
	}{
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered}}, "now; the peer has been silent since 0s, 0 probes are out"},
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered, Unanswered: 1}, ProbesOut: 1, SinceHeard: 1}, "now; the peer has been silent since 0s, 1 probe is out"},
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered, Unanswered: 4}, ProbesOut: 4, SinceHeard: 1}, "now; the peer was last heard at 0s, but the kernel still counts 3 probes from before; 1 probe is out since"},
		{inventory.Socket{State: conn.State{Has: has}, ProbesOut: 14, Silent: true}, "now; the peer has been silent since 0s, for so long that the kernel's count of probes, 14, may have begun anew after 255"},
	} {
		if got := sayNow(&tt.socket); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
