// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"testing"
	"time"
)

// TestExplain: what is in no server's log of that port and that time has no
// explanation, and nothing explains an end by the kernel's timers, or silence.
func TestExplain(t *testing.T) {
	at := time.Date(2026, 11, 26, 4, 11, 1, 0, time.UTC)
	h := &hunt{
		postgres: []logged{{40001, at, "postgres"}},
		nginx:    []logged{{40002, at, "nginx"}},
	}
	type ports = struct{ Port int }
	reset := func(local, remote int) told {
		return told{Time: at, Event: "ended", Change: "ended", By: "peer", Errno: "ECONNRESET", Local: ports{local}, Remote: ports{remote}}
	}
	but := func(e told, change func(*told)) told {
		change(&e)
		return e
	}
	for _, tt := range []struct {
		name string
		e    told
		want string
	}{
		{"PostgreSQL logged it", reset(huntPostgres, 40001), "postgres"},
		{"nginx logged it", reset(huntFile, 40002), "nginx"},
		{"a RST while a probe was out", but(reset(huntNginx, 40002), func(e *told) { e.Event, e.By = "peer_reset", "" }), "nginx"},
		{"another server's log", reset(huntNginx, 40001), ""},
		{"a server that logged nothing", reset(huntRedis, 40002), ""},
		{"another port", reset(huntPostgres, 40003), ""},
		{"the client's own end", reset(40001, huntPostgres), ""},
		{"another time", but(reset(huntPostgres, 40001), func(e *told) { e.Time = at.Add(time.Minute) }), ""},
		{"given up by keepalive", but(reset(huntPostgres, 40001), func(e *told) { e.Event = "reset" }), ""},
		{"given up by retransmission", but(reset(huntPostgres, 40001), func(e *told) { e.By = "retransmission" }), ""},
		{"silence", but(reset(huntPostgres, 40001), func(e *told) { e.Event, e.Change = "probe", "silent" }), ""},
		{"a drop", told{Time: at, Event: "dropped", Local: ports{huntFile}, Remote: ports{40002}}, ""},
		{"a slow reader", told{Time: at, Event: "suspended", WaitsFor: "window_probe", Local: ports{huntFile}}, "its client reads slowly, or not at all for a while"},
		{"retransmission", told{Time: at, Event: "suspended", WaitsFor: "retransmission", Local: ports{huntFile}}, ""},
		{"a closed window elsewhere", told{Time: at, Event: "suspended", WaitsFor: "window_probe", Local: ports{huntSSH}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := h.explain(tt.e); got != tt.want {
				t.Errorf("explained by %q, want %q", got, tt.want)
			}
		})
	}
}
