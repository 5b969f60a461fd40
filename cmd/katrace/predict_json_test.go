// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/internal/predict"
)

// TestPredictJSON: every fact has its key, and what is not known has none.
func TestPredictJSON(t *testing.T) {
	flags := rawPredictFlags{idle: "60", intvl: "10", cnt: "2"}
	_, p := predicted(t, flags)
	want := `{"v":1,"keepalive":{"idle_ms":60000,"intvl_ms":10000,"cnt":2,"user_timeout_ms":0,"inherited":[]},` +
		`"probes":[{"n":1,"at_ms":60000,"latest_ms":62048},{"n":2,"at_ms":70000,"latest_ms":72304}],` +
		`"gives_up":{"at_ms":80000,"latest_ms":82560,"reason":"count","errno":"ETIMEDOUT"}}`
	if got := string(p.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	flags = rawPredictFlags{idle: "60", intvl: "10", cnt: "2", userTimeout: "65s", idleLimit: "aws-nlb"}
	_, p = predicted(t, flags)
	want = `{"v":1,"keepalive":{"idle_ms":60000,"intvl_ms":10000,"cnt":2,"user_timeout_ms":65000,"inherited":[]},` +
		`"probes":[{"n":1,"at_ms":60000,"latest_ms":62048}],` +
		`"gives_up":{"at_ms":70000,"latest_ms":72304,"reason":"user_timeout","errno":"ETIMEDOUT"},` +
		`"idle_limit":{"ms":350000,"name":"aws-nlb","verdict":"in_time"}}`
	if got := string(p.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	unsure := p.Settings
	unsure.Inherited, unsure.Unsure = 0, conn.SettingIdle|conn.SettingInterval
	s := &inventory.Socket{
		State:      conn.State{Local: netip.MustParseAddrPort("10.0.0.1:5432"), Remote: netip.MustParseAddrPort("10.0.0.9:40122"), Keepalive: unsure, Unanswered: 1, Has: conn.HasUnanswered | conn.HasIdleFor},
		Timer:      conn.Timer{IdleFor: 61 * time.Second, Next: 9 * time.Second, ArmedBeforeChange: true},
		ProbesOut:  1,
		SinceHeard: 1,
	}
	live := predict.OfSocket(s, conn.Middlebox{}, 250)
	want = `{"v":1,"local":{"addr":"10.0.0.1","port":5432},"remote":{"addr":"10.0.0.9","port":40122},"idle_for_ms":61000,"unanswered":1,"armed_before_change":true,` +
		`"keepalive":{"idle_ms":60000,"intvl_ms":10000,"cnt":2,"user_timeout_ms":65000,"set":["cnt"]},"probes":[],` +
		`"gives_up":{"at_ms":70000,"latest_ms":70256,"reason":"user_timeout","errno":"ETIMEDOUT"}}`
	if got := string(live.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Has &^= conn.HasUnanswered
	s.ArmedBeforeChange = false
	want = `{"v":1,"local":{"addr":"10.0.0.1","port":5432},"remote":{"addr":"10.0.0.9","port":40122},"idle_for_ms":61000,"keepalive":`
	if got := string(live.AppendJSON(nil)); len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
