// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"slices"
	"testing"

	"katrace/internal/conn"
)

func TestFilter(t *testing.T) {
	prefixes := func(in ...string) (all []netip.Prefix) {
		for _, s := range in {
			all = append(all, netip.MustParsePrefix(s))
		}
		return all
	}
	socket := func(f conn.SocketFilter) Filter { return Filter{Socket: f} }
	owned := someEvent(KindProbe)
	owned.Process, owned.Cgroup, owned.Container = conn.Process{PID: 812, Comm: "postgres"}, "/system.slice/postgresql.service", "3f2a77"
	bare := someEvent(KindProbe) // 10.0.0.1:5432 > 10.0.0.9:40122, no owner
	six := someEvent(KindProbe)
	six.Family, six.Local, six.Remote = conn.IPv6, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:50123")
	mapped := someEvent(KindProbe)
	mapped.Family = conn.IPv6Mapped
	of := func(k Kind, set ...func(*Event)) Event {
		e := someEvent(k)
		for _, s := range set {
			s(&e)
		}
		return e
	}
	first, second := of(KindProbe, unanswered(1)), of(KindProbe, unanswered(2))
	unsent := of(KindProbe, unanswered(1), func(e *Event) { e.SendError = "ENETUNREACH" })
	answer, reset, peerReset, icmpError := of(KindAnswer), of(KindReset), of(KindPeerReset), of(KindICMP)
	none := []Event{}

	for _, tt := range []struct {
		name    string
		filter  Filter
		yes, no []Event
	}{
		{"the zero value wants all", Filter{}, []Event{owned, bare, six, mapped, answer, reset}, none},
		{"event", Filter{Kinds: []Kind{KindProbe, KindAnswer}}, []Event{first, answer}, []Event{reset, icmpError}},
		{"dead", Filter{Dead: true}, []Event{reset, peerReset, of(KindEnded)}, []Event{first, second, answer, icmpError, of(KindClosed), of(KindSuspended)}},
		{"silent", Filter{Silent: true}, []Event{second, unsent, icmpError}, []Event{first, answer, reset}},
		{"dead or silent", Filter{Dead: true, Silent: true}, []Event{second, unsent, icmpError, reset, peerReset}, []Event{first, answer}},
		{"dead, of one event", Filter{Dead: true, Kinds: []Kind{KindReset}}, []Event{reset}, []Event{peerReset, first}},

		{"IPv4, mapped included", socket(conn.SocketFilter{OnlyIPv4: true}), []Event{bare, mapped}, []Event{six}},
		{"IPv6", socket(conn.SocketFilter{OnlyIPv6: true}), []Event{six}, []Event{bare, mapped}},
		{"both families are all", socket(conn.SocketFilter{OnlyIPv4: true, OnlyIPv6: true}), []Event{bare, six, mapped}, none},
		{"netns", socket(conn.SocketFilter{Netns: []uint32{1, 4026531840}}), []Event{bare}, []Event{of(KindProbe, func(e *Event) { e.Netns = 2 })}},
		{"port, either side", socket(conn.SocketFilter{Ports: []uint16{40122, 443}}), []Event{bare, six}, []Event{of(KindProbe, func(e *Event) { e.Remote = withPort(e.Remote, 1) })}},
		{"local port", socket(conn.SocketFilter{LocalPorts: []uint16{5432, 1}}), []Event{bare}, []Event{six, of(KindProbe, func(e *Event) { e.Local, e.Remote = e.Remote, e.Local })}},
		{"remote port", socket(conn.SocketFilter{RemotePorts: []uint16{40122, 1}}), []Event{bare}, []Event{six, of(KindProbe, func(e *Event) { e.Local, e.Remote = e.Remote, e.Local })}},
		{"local and remote port", socket(conn.SocketFilter{LocalPorts: []uint16{5432}, RemotePorts: []uint16{1}}), none, []Event{bare}},
		{"address, either side, mapped as IPv4", socket(conn.SocketFilter{Prefixes: prefixes("192.0.2.0/24", "10.0.0.8/30")}), []Event{bare, mapped}, []Event{six}},
		{"local address", socket(conn.SocketFilter{Prefixes: prefixes("10.0.0.1/32")}), []Event{bare}, []Event{six}},
		{"all of IPv4 is not IPv6", socket(conn.SocketFilter{Prefixes: prefixes("0.0.0.0/0")}), []Event{bare, mapped}, []Event{six}},
		{"all of IPv6 is not IPv4", socket(conn.SocketFilter{Prefixes: prefixes("::/0")}), []Event{six}, []Event{bare, mapped}},

		{"pid", Filter{Owner: conn.OwnerFilter{PIDs: []int{1, 812}}}, []Event{owned}, []Event{bare}},
		{"comm", Filter{Owner: conn.OwnerFilter{Comms: []string{"nginx", "postgres"}}}, []Event{owned}, []Event{bare}},
		{"comm is the whole name", Filter{Owner: conn.OwnerFilter{Comms: []string{"post"}}}, none, []Event{owned}},
		{"an empty comm is nobody's", Filter{Owner: conn.OwnerFilter{Comms: []string{""}}}, none, []Event{bare, owned}},
		{"cgroup", Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/system.slice/postgresql.service"}}}, []Event{owned}, []Event{bare}},
		{"cgroup above", Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/user.slice", "/system.slice/"}}}, []Event{owned}, []Event{bare}},
		{"cgroup root", Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/"}}}, []Event{owned}, []Event{bare}},
		{"half a name of a cgroup", Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/system"}}}, none, []Event{owned}},
		{"an empty cgroup is nobody's", Filter{Owner: conn.OwnerFilter{Cgroups: []string{""}}}, none, []Event{bare}},
		{"container", Filter{Owner: conn.OwnerFilter{Containers: []string{"aaaa", "3f2a"}}}, []Event{owned}, []Event{bare}},
		{"not a later part of the id", Filter{Owner: conn.OwnerFilter{Containers: []string{"2a77"}}}, none, []Event{owned}},
		{"an empty container is nobody's", Filter{Owner: conn.OwnerFilter{Containers: []string{""}}}, none, []Event{bare}},
		{"different flags mean and", Filter{Owner: conn.OwnerFilter{PIDs: []int{812}}, Kinds: []Kind{KindProbe}, Socket: conn.SocketFilter{Ports: []uint16{443}}}, none, []Event{owned, six}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			about := []Event{{Kind: KindLost}, {Kind: KindStart}, {Kind: KindHeartbeat}, {Kind: KindStop}}
			for _, e := range slices.Concat(tt.yes, about) {
				if !tt.filter.Match(&e) {
					t.Errorf("not wanted: %s", AppendText(nil, &e))
				}
			}
			for _, e := range tt.no {
				if tt.filter.Match(&e) {
					t.Errorf("wanted: %s", AppendText(nil, &e))
				}
			}
		})
	}
}
