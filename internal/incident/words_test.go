// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"net/netip"
	"testing"
	"time"

	"katrace/test/enumtest"
)

func TestWords(t *testing.T) {
	enumtest.RoundTrip(t, kinds, Resets, ParseKind)
	enumtest.RoundTrip(t, levels, All, ParseLevel)
}

func TestSentence(t *testing.T) {
	since := time.Date(2026, 11, 26, 19, 30, 34, 0, time.UTC)
	peer := Scope{Level: Peer, Addr: netip.MustParseAddrPort("10.98.0.2:0")}
	for _, tt := range []struct {
		i    Incident
		want string
	}{
		{Incident{Kind: Silence, Scope: peer, Affected: 2000, Of: 2000, Silent: 2000, Listed: true},
			"2,000 of 2,000 connections to 10.98.0.2 silent since 19:30:34Z"},
		{Incident{Kind: Silence, Scope: peer, Affected: 2000, Of: 2400, Silent: 10, Ended: 1990},
			"2,000 of 2,400 known connections to 10.98.0.2 silent since 19:30:34Z: 10 still are, 1,990 ended"},
		{Incident{Kind: Silence, Scope: Scope{Level: Process, Name: "shop"}, Peers: 1, Affected: 9, Of: 9, Recovered: 6, Closed: 3, Until: since.Add(time.Minute), Listed: true},
			"9 of 9 connections of shop, to 1 peer, silent from 19:30:34Z to 19:31:34Z: 6 recovered, 3 closed"},
		{Incident{Kind: ClosedWindows, Scope: Scope{Level: Container, Name: "3f2a9c0d8e1b77"}, Peers: 2, Affected: 9, Of: 9, Silent: 9, Listed: true},
			"9 of 9 connections of container 3f2a9c0d8e1b, to 2 peers, blocked by closed receive windows since 19:30:34Z"},
		{Incident{Kind: Resets, Scope: Scope{Level: Pod, Name: "0b9e", Namespace: "shop", Called: "cart\x1b-0"}, Peers: 2, Affected: 9, Of: 9, Ended: 9, Until: since, Listed: true},
			"9 of 9 connections of pod shop/cart?-0, to 2 peers, reset at 19:30:34Z"},
		{Incident{Kind: Resets, Scope: Scope{Level: Container, Name: "3f2a", Called: "frosty_cart"}, Peers: 2, Affected: 9, Of: 9, Ended: 9, Until: since, Listed: true},
			"9 of 9 connections of container frosty_cart, to 2 peers, reset at 19:30:34Z"},
		{Incident{Kind: Resets, Scope: Scope{Level: Pod, Name: "0b9e"}, Peers: 2, Affected: 9, Of: 9, Ended: 9, Until: since, Listed: true},
			"9 of 9 connections of pod 0b9e, to 2 peers, reset at 19:30:34Z"},
		{Incident{Kind: Resets, Scope: Scope{Level: Many}, Peers: 1200, Affected: 9, Of: 9, Ended: 9, Until: since.Add(time.Second), Listed: true},
			"9 of 9 connections to 1,200 peers reset from 19:30:34Z to 19:30:35Z"},
	} {
		tt.i.Since = since
		if got := tt.i.Sentence(since); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	// Of another day, and over midnight.
	i := Incident{Kind: Silence, Scope: peer, Affected: 9, Of: 9, Silent: 9, Listed: true, Since: since}
	if got, want := i.Sentence(since.AddDate(0, 0, 1)), "9 of 9 connections to 10.98.0.2 silent since 2026-11-26 19:30:34Z"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	i.Until, i.Silent, i.Ended = since.Add(5*time.Hour), 0, 9
	if got, want := i.Brief(since), "9 of 9 to 10.98.0.2 silent from 19:30:34Z to 2026-11-27 00:30:34Z"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
