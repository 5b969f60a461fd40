// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"testing"

	"katrace/internal/loader"
)

// TestConnections: each connection is counted once, under the verdict that its
// latest event brings, for as long as it lives.
func TestConnections(t *testing.T) {
	tracker := NewTracker(jiffy)
	follow := func(sk uint64, port uint16) func(*loader.Record) {
		return func(r *loader.Record) { r.Sk, r.RemotePort = sk, port }
	}
	one, two, other := follow(1, 1), follow(2, 2), follow(1, 3) // the third at the first's address
	for i, s := range []struct {
		in   func(*loader.Record)
		want Connections
	}{
		{rec(loader.RecordProbe, 1, one), Connections{0: 1}},
		{rec(loader.RecordProbe, 1, two), Connections{0: 2}},
		{rec(loader.RecordProbe, 1, one, flags(loader.FlagAnswered)), Connections{0: 1, VerdictAlive: 1}},
		{rec(loader.RecordProbe, 2, two), Connections{VerdictAlive: 1, VerdictSilent: 1}},
		{rec(loader.RecordProbe, 2, two, ret(-113)), Connections{VerdictAlive: 1, VerdictUnreachable: 1}},
		{rec(loader.RecordDropped, 2, two), Connections{VerdictAlive: 1, VerdictUnreachable: 1}},
		{rec(loader.RecordEnabled, 0, follow(4, 4), func(r *loader.Record) { r.Flags = 0 }), Connections{VerdictAlive: 1, VerdictUnreachable: 1}},
		{rec(loader.RecordProbe, 1, other), Connections{0: 1, VerdictUnreachable: 1}}, // the end of the first was lost
		{rec(loader.RecordReset, 3, two), Connections{0: 1, VerdictUnreachable: 1}},
		{rec(loader.RecordClosed, 0, two, flags(loader.FlagGaveUp)), Connections{0: 1}},
		{rec(loader.RecordEnded, 0, other), Connections{}},
		{rec(loader.RecordEnded, 0, other), Connections{VerdictTimedOut: 0}},
	} {
		r := probeRecord()
		s.in(&r)
		if err := tracker.Record(&r, func(*Event) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got := tracker.Connections(); got != s.want {
			t.Fatalf("after step %d: %v, want %v", i, got, s.want)
		}
	}
}
