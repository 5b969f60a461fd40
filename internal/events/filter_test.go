// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"testing"

	"katrace/internal/loader"
)

func TestFilter(t *testing.T) {
	prefixes := func(in ...string) (all []netip.Prefix) {
		for _, s := range in {
			all = append(all, netip.MustParsePrefix(s))
		}
		return all
	}
	socket := func(f loader.Filter) Filter { return Filter{Socket: f} }
	owned := someEvent(KindProbe)
	owned.Process, owned.Cgroup, owned.Container = Process{812, "postgres"}, "/system.slice/postgresql.service", "3f2a77"
	bare := someEvent(KindProbe) // 10.0.0.1:5432 > 10.0.0.9:40122, no owner
	six := someEvent(KindProbe)
	six.Family, six.Local, six.Remote = IPv6, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:50123")
	mapped := someEvent(KindProbe)
	mapped.Family = IPv6Mapped
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

		{"IPv4, mapped included", socket(loader.Filter{OnlyIPv4: true}), []Event{bare, mapped}, []Event{six}},
		{"IPv6", socket(loader.Filter{OnlyIPv6: true}), []Event{six}, []Event{bare, mapped}},
		{"both families are all", socket(loader.Filter{OnlyIPv4: true, OnlyIPv6: true}), []Event{bare, six, mapped}, none},
		{"netns", socket(loader.Filter{Netns: []uint32{1, 4026531840}}), []Event{bare}, []Event{of(KindProbe, func(e *Event) { e.Netns = 2 })}},
		{"port, either side", socket(loader.Filter{Ports: []uint16{40122, 443}}), []Event{bare, six}, []Event{of(KindProbe, func(e *Event) { e.Remote = withPort(e.Remote, 1) })}},
		{"local port", socket(loader.Filter{LocalPorts: []uint16{5432, 1}}), []Event{bare}, []Event{six, of(KindProbe, func(e *Event) { e.Local, e.Remote = e.Remote, e.Local })}},
		{"remote port", socket(loader.Filter{RemotePorts: []uint16{40122, 1}}), []Event{bare}, []Event{six, of(KindProbe, func(e *Event) { e.Local, e.Remote = e.Remote, e.Local })}},
		{"local and remote port", socket(loader.Filter{LocalPorts: []uint16{5432}, RemotePorts: []uint16{1}}), none, []Event{bare}},
		{"address, either side, mapped as IPv4", socket(loader.Filter{Prefixes: prefixes("192.0.2.0/24", "10.0.0.8/30")}), []Event{bare, mapped}, []Event{six}},
		{"local address", socket(loader.Filter{Prefixes: prefixes("10.0.0.1/32")}), []Event{bare}, []Event{six}},
		{"all of IPv4 is not IPv6", socket(loader.Filter{Prefixes: prefixes("0.0.0.0/0")}), []Event{bare, mapped}, []Event{six}},
		{"all of IPv6 is not IPv4", socket(loader.Filter{Prefixes: prefixes("::/0")}), []Event{six}, []Event{bare, mapped}},

		{"pid", Filter{PIDs: []int{1, 812}}, []Event{owned}, []Event{bare}},
		{"comm", Filter{Comms: []string{"nginx", "postgres"}}, []Event{owned}, []Event{bare}},
		{"comm is the whole name", Filter{Comms: []string{"post"}}, none, []Event{owned}},
		{"an empty comm is nobody's", Filter{Comms: []string{""}}, none, []Event{bare, owned}},
		{"cgroup", Filter{Cgroups: []string{"/system.slice/postgresql.service"}}, []Event{owned}, []Event{bare}},
		{"cgroup above", Filter{Cgroups: []string{"/user.slice", "/system.slice/"}}, []Event{owned}, []Event{bare}},
		{"cgroup root", Filter{Cgroups: []string{"/"}}, []Event{owned}, []Event{bare}},
		{"half a name of a cgroup", Filter{Cgroups: []string{"/system"}}, none, []Event{owned}},
		{"an empty cgroup is nobody's", Filter{Cgroups: []string{""}}, none, []Event{bare}},
		{"container", Filter{Containers: []string{"aaaa", "3f2a"}}, []Event{owned}, []Event{bare}},
		{"not a later part of the id", Filter{Containers: []string{"2a77"}}, none, []Event{owned}},
		{"an empty container is nobody's", Filter{Containers: []string{""}}, none, []Event{bare}},
		{"different flags mean and", Filter{Kinds: []Kind{KindProbe}, PIDs: []int{812}, Socket: loader.Filter{Ports: []uint16{443}}}, none, []Event{owned, six}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lost := Event{Kind: KindLost}
			for _, e := range append(tt.yes, lost) {
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

// TestOwnerUnknown: an event is left out for want of its owner where nothing
// that is known of it speaks against it.
func TestOwnerUnknown(t *testing.T) {
	shop := Process{PID: 7, Comm: "shop"}
	for _, c := range []struct {
		what   string
		filter Filter
		event  Event
		want   bool
	}{
		{"no filter", Filter{}, Event{}, false},
		{"name", Filter{Comms: []string{"shop"}}, Event{}, true},
		{"pid", Filter{PIDs: []int{7}}, Event{Cgroup: "/a"}, true},
		{"another's", Filter{PIDs: []int{7}}, Event{Process: Process{PID: 8, Comm: "x"}}, false},
		{"wanted", Filter{PIDs: []int{7}}, Event{Process: shop}, false},
		{"the kernel's", Filter{Comms: []string{"shop"}}, Event{HeldBy: HeldByKernel}, false},
		{"its listener is not known", Filter{Comms: []string{"shop"}}, Event{HeldBy: HeldByAcceptQueue}, true},
		{"cgroup", Filter{Cgroups: []string{"/a"}}, Event{Process: shop}, true},
		{"cgroup v1", Filter{Cgroups: []string{"/a"}}, Event{Cgroup: "/"}, true},
		{"the root", Filter{Cgroups: []string{"/a"}}, Event{Cgroup: "/", Process: shop}, false},
		{"another cgroup", Filter{Cgroups: []string{"/a"}}, Event{Cgroup: "/b"}, false},
		{"no container", Filter{Containers: []string{"3f"}}, Event{Cgroup: "/b"}, false},
		{"another cgroup, whatever the name", Filter{Comms: []string{"shop"}, Cgroups: []string{"/a"}}, Event{Cgroup: "/b"}, false},
		{"the cgroup, whatever the name", Filter{Comms: []string{"shop"}, Cgroups: []string{"/a"}}, Event{Cgroup: "/a/b"}, true},
	} {
		if got := c.filter.OwnerUnknown(&c.event); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
		if c.want && c.filter.Match(&c.event) {
			t.Errorf("%s: matches", c.what)
		}
	}
}
