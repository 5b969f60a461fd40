// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"strings"
	"testing"
	"time"

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
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered}}, "now; the peer was last heard at 0s, no probe is out"},
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered, Unanswered: 1}, ProbesOut: 1, SinceHeard: 1}, "now; the peer has been silent since 0s, 1 probe is out"},
		{inventory.Socket{State: conn.State{Has: has | conn.HasUnanswered, Unanswered: 4}, ProbesOut: 4, SinceHeard: 1}, "now; the peer was last heard at 0s, but the kernel still counts 3 probes from before; 1 probe is out since"},
		{inventory.Socket{State: conn.State{Has: has}, ProbesOut: 14, Silent: true}, "now; the peer has been silent since 0s, for so long that the kernel's count of probes, 14, may have begun anew after 255"},
	} {
		if got := sayNow(&tt.socket); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestPredictStalled: where keepalive has no say, no timeline is shown, but the end that
// retransmission comes to, if there is one.
func TestPredictStalled(t *testing.T) {
	const has = conn.HasKeepalive | conn.HasIdleFor | conn.HasUnacked
	keepalive := conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	limited := keepalive
	limited.UserTimeout = 30 * time.Second
	timer := conn.Timer{IdleFor: 20 * time.Second, DiesIn: 12 * time.Minute}
	data, window := conn.Data{Retransmits: 5, Unacked: 100}, conn.Data{Unacked: 65536}
	for _, tt := range []struct {
		socket     inventory.Socket
		text, keys string
	}{
		{inventory.Socket{State: conn.State{WaitsFor: conn.WaitsRetransmission, Keepalive: keepalive, Has: has | conn.HasDiesIn}, Timer: timer, Data: data},
			"100 bytes unacknowledged, 5 retransmits: keepalive has no say, gives up in 12m.\nnet.ipv4.tcp_retries2 decides;",
			`"waits_for":"retransmission","retransmits":5,"unacked_bytes":100,"dies_in_ms":720000,"probes":[],"gives_up":{"at_ms":740000,"reason":"count","errno":"ETIMEDOUT"}}`},
		{inventory.Socket{State: conn.State{WaitsFor: conn.WaitsRetransmission, Keepalive: keepalive, Has: has}, Timer: timer, Data: data},
			"5 retransmits: keepalive has no say.\nWhen the kernel gives up is not known: ", `"unacked_bytes":100,"probes":[]}`},
		{inventory.Socket{State: conn.State{WaitsFor: conn.WaitsWindowProbe, Keepalive: limited, Has: has | conn.HasDiesIn}, Timer: timer, Data: window},
			"The peer's receive window is closed, 65536 bytes wait: keepalive has no say, gives up in 12m.\nTCP_USER_TIMEOUT decides;",
			`"waits_for":"window_probe","retransmits":0,"unacked_bytes":65536,"dies_in_ms":720000,"probes":[],"gives_up":{"at_ms":740000,"reason":"user_timeout","errno":"ETIMEDOUT"}}`},
		{inventory.Socket{State: conn.State{WaitsFor: conn.WaitsWindowProbe, Keepalive: limited, Has: has}, Timer: timer, Data: window},
			"65536 bytes wait: keepalive has no say.\nWhen the kernel gives up is not known: ", `"unacked_bytes":65536,"probes":[]}`},
		{inventory.Socket{State: conn.State{WaitsFor: conn.WaitsWindowProbe, Keepalive: keepalive, Has: has}, Timer: timer, Data: window},
			"keepalive has no say, not given up as long as the peer answers window probes.\nA peer that does not answer them is given up after net.ipv4.tcp_retries2 of them.",
			`"unacked_bytes":65536,"probes":[]}`},
	} {
		p := OfSocket(&tt.socket, conn.Middlebox{}, 250)
		if got := string(p.AppendText(nil)); !strings.Contains(got, tt.text) || strings.Contains(got, "AFTER") {
			t.Errorf("want %q in\n%s", tt.text, got)
		}
		if got := string(p.AppendJSON(nil)); !strings.HasSuffix(got, tt.keys) {
			t.Errorf("want %s\nin   %s", tt.keys, got)
		}
	}
}
