// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"katrace/internal/conn"
	"katrace/internal/loader"
)

// Counts are what the kernel's side counted of events, those included whose records
// were lost.
type Counts = loader.Counts

// Counted is what Counts hold: for each of them an event such as it counts, of which
// only what tells it from the others is set; of changes only Change.
func Counted() (all [len(Counts{})]Event) {
	all[loader.CountSent] = Event{Kind: KindProbe}
	all[loader.CountCongested] = Event{Kind: KindProbe, SendError: Congested}
	all[loader.CountFailed] = Event{Kind: KindProbe, SendError: "unknown"}
	all[loader.CountAnswers] = Event{Kind: KindAnswer}
	all[loader.CountPeerProbes] = Event{Kind: KindProbed}
	all[loader.CountSilent] = Event{Change: ChangeSilent}
	all[loader.CountUnreachable] = Event{Change: ChangeUnreachable}
	all[loader.CountRecovered] = Event{Change: ChangeRecovered}
	all[loader.CountSuspended] = Event{Change: ChangeSuspended}
	for reason := ReasonCount; reason <= ReasonUserTimeout; reason++ {
		all[loader.CountReset+int(reason-ReasonCount)] = Event{Kind: KindReset, Reason: reason}
	}
	for rst := RST(0); rst <= RSTThisHost; rst++ {
		all[loader.CountPeerReset+int(rst)] = Event{Kind: KindPeerReset, RST: rst}
		for by := By(0); by <= ByThisHost; by++ {
			all[loader.CountEnded+4*int(by)+int(rst)] = Event{Kind: KindEnded, By: by, RST: rst}
		}
	}
	icmp := func(at int, family conn.Family, typ uint8, codes int) {
		for code := range codes {
			all[at+code] = Event{Kind: KindICMP, State: conn.State{Family: family}, ICMP: ICMP{Type: typ, Code: uint8(code)}}
		}
	}
	icmp(loader.CountICMP4Unreachable, conn.IPv4, icmp4Unreachable, loader.CountICMP4Exceeded-loader.CountICMP4Unreachable)
	icmp(loader.CountICMP4Exceeded, conn.IPv4, icmp4TimeExceeded, 1)
	icmp(loader.CountICMP4Other, conn.IPv4, 0, 1)
	icmp(loader.CountICMP6Unreachable, conn.IPv6, icmp6Unreachable, loader.CountICMP6TooBig-loader.CountICMP6Unreachable)
	icmp(loader.CountICMP6TooBig, conn.IPv6, icmp6TooBig, 1)
	icmp(loader.CountICMP6Exceeded, conn.IPv6, icmp6TimeExceeded, 1)
	icmp(loader.CountICMP6Other, conn.IPv6, 0, 1)
	return all
}

// ConnectionsBy makes Connections of what the kernel's side counted by verdict. A
// count that is read while it moves may be below 0 for a moment.
func ConnectionsBy(verdicts []int64) (all Connections) {
	for v, n := range verdicts {
		all[v] = uint64(max(n, 0))
	}
	return all
}
