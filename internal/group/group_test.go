// SPDX-License-Identifier: BSD-2-Clause

package group

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/test/enumtest"
	"katrace/test/fields"
)

func connection(local, remote string) *conn.State {
	return &conn.State{Netns: 1, TCPState: conn.TCPEstablished, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
}

func TestService(t *testing.T) {
	listens := &conn.State{Netns: 1, TCPState: conn.TCPListen, Local: netip.MustParseAddrPort("0.0.0.0:50000")}
	for _, test := range []struct {
		name string
		of   *conn.State
		with []*conn.State
		want Port
	}{
		{"alone, a client", connection("10.0.0.1:40001", "10.0.0.2:5432"), nil, Port{5432, false}},
		{"alone, a server", connection("10.0.0.1:5432", "10.0.0.2:40001"), nil, Port{5432, true}},
		{"repeats there", connection("10.0.0.1:4001", "10.0.0.2:50000"), []*conn.State{connection("10.0.0.1:4002", "10.0.0.2:50000")}, Port{50000, false}},
		{"repeats here", connection("10.0.0.1:50000", "10.0.0.2:4001"), []*conn.State{connection("10.0.0.1:50000", "10.0.0.3:4002")}, Port{50000, true}},
		{"listens here, although the other repeats", connection("10.0.0.1:50000", "10.0.0.2:4001"),
			[]*conn.State{listens, connection("10.0.0.1:50001", "10.0.0.3:4001")}, Port{50000, true}},
		{"listens in another namespace", &conn.State{Netns: 2, Local: netip.MustParseAddrPort("10.0.0.1:50000"), Remote: netip.MustParseAddrPort("10.0.0.2:4001")},
			[]*conn.State{listens}, Port{4001, false}},
		{"both ends on this host", connection("127.0.0.1:6379", "127.0.0.1:50123"), []*conn.State{connection("127.0.0.1:50123", "127.0.0.1:6379")}, Port{6379, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := NewPorts()
			for _, s := range append(test.with, test.of) {
				p.Add(s)
			}
			if got := p.Service(test.of); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestServiceAllListeners: where all that listen are known, a port that nobody
// listens on is a client's, whichever is lower and whichever repeats.
func TestServiceAllListeners(t *testing.T) {
	listens := &conn.State{Netns: 1, TCPState: conn.TCPListen, Local: netip.MustParseAddrPort("[::]:50051")}
	of := func(local, remote string) func(p *Ports) Port {
		return func(p *Ports) Port { return p.Service(connection(local, remote)) }
	}
	p := NewPorts()
	p.AllListeners = true
	p.Add(listens)
	for _, s := range []*conn.State{
		connection("127.0.0.1:50051", "127.0.0.1:40001"), connection("127.0.0.1:40001", "127.0.0.1:50051"), // both ends of one
		connection("10.0.0.1:40002", "10.0.0.2:50052"), connection("10.0.0.1:40002", "10.0.0.3:50053"), // a client's port, twice
	} {
		p.Add(s)
	}
	for i := range drained {
		p.Add(&conn.State{Netns: 1, Local: netip.MustParseAddrPort("10.0.0.1:9000"), Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(45000+i))})
	}
	for _, tt := range []struct {
		name string
		got  func(*Ports) Port
		want Port
	}{
		{"the listening end", of("127.0.0.1:50051", "127.0.0.1:40001"), Port{50051, true}},
		{"the other end of it", of("127.0.0.1:40001", "127.0.0.1:50051"), Port{50051, false}},
		{"a client's port that repeats", of("10.0.0.1:40002", "10.0.0.2:50052"), Port{50052, false}},
		{"who listened has stopped", of("10.0.0.1:9000", "10.0.0.9:45001"), Port{9000, true}},
		{"without a peer", func(p *Ports) Port {
			return p.Service(&conn.State{Netns: 1, Local: netip.MustParseAddrPort("10.0.0.1:8080")})
		}, Port{8080, true}},
	} {
		if got := tt.got(p); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.AppendTo(nil), tt.want.AppendTo(nil))
		}
	}
}

// TestCompare: each field orders, the settings' fields too.
func TestCompare(t *testing.T) {
	fields.Each(new(ID), func(path string, _ reflect.Value) {
		var low, high ID
		fields.Each(&high, func(p string, f reflect.Value) {
			if p == path {
				fields.Set(f, 1)
			}
		})
		source := path == "Settings.Inherited" || path == "Settings.Unsure" // no ID has them
		if high.Compare(&low) != 1 && !source || low.Compare(&high) != -1 && !source || high.Compare(&high) != 0 {
			t.Errorf("%s: %d, %d", path, high.Compare(&low), low.Compare(&high))
		}
	})
}

func TestPortsForget(t *testing.T) {
	p := NewPorts()
	for range 3 {
		p.Add(connection("10.0.0.1:5432", "10.0.0.2:40001"))
	}
	for range 3 {
		p.Remove(connection("10.0.0.1:5432", "10.0.0.2:40001"))
	}
	if len(p.local)+len(p.remote) != 0 {
		t.Errorf("kept %v, %v", p.local, p.remote)
	}
}

func TestOf(t *testing.T) {
	s := connection("10.0.0.1:5432", "10.0.0.2:40001")
	s.Process = conn.Process{PID: 812, Comm: "postgres"}
	s.Container, s.ContainerName, s.Pod, s.PodNamespace, s.PodName = "3f2a", "frosty_cart", "0a1b", "shop", "cart-0"
	s.Has = conn.HasKeepalive
	s.Keepalive = conn.Settings{Idle: time.Minute, Count: 3, Inherited: conn.AllSettings}
	p := NewPorts()
	all := AllKeys()
	for _, k := range all {
		if (Keys{k}).Of(s, p) == (ID{}) {
			t.Errorf("%s: nothing in common with itself", k)
		}
	}
	if len(all) != len(KeyNames()) {
		t.Errorf("%d keys, %d names", len(all), len(KeyNames()))
	}
	enumtest.RoundTrip(t, keys, Netns, ParseKey)
	want := ID{Remote: netip.MustParseAddr("10.0.0.2"), Service: Port{5432, true}, Process: Program{HeldByProgram, "postgres"}, Container: "3f2a", Pod: "0a1b",
		On: SwitchedOn, Settings: conn.Settings{Idle: time.Minute, Count: 3}, Netns: 1}
	if got := all.Of(s, p); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := (Keys{Workload}).Of(s, p), (ID{Workload: conn.PodName{Namespace: "shop", Name: "cart"}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	late := *s
	late.ContainerName, late.PodNamespace, late.PodName = "", "", ""
	if got := all.Of(&late, p); got != want {
		t.Errorf("names that are not known yet split the group: %+v, want %+v", got, want)
	}
	s.Has = 0
	if got := (Keys{Settings}).Of(s, p); got != (ID{}) {
		t.Errorf("without settings: %+v", got)
	}
	if _, err := ParseKey("peer\x1b"); err == nil || !strings.Contains(err.Error(), `"peer\x1b"`) {
		t.Errorf("of a wrong key: %v", err)
	}
}

// TestNames: what has a name is shown by it, whichever of the connections knows it;
// what is not grouped by has none.
func TestNames(t *testing.T) {
	shop := conn.Owner{Container: "3f2a", ContainerName: "frosty_cart", Pod: "0a1b", PodNamespace: "shop", PodName: "cart-0"}
	for _, tt := range []struct {
		keys                     Keys
		owners                   []conn.Owner
		container, pod, workload string
	}{
		{Keys{Container, Pod, Workload}, []conn.Owner{{}}, "", "", ""},
		{Keys{Container, Pod, Workload}, []conn.Owner{{Container: strings.Repeat("3f2a9c0d", 8), Pod: "0a1b"}}, "3f2a9c0d3f2a", "0a1b", ""},
		{Keys{Container, Pod, Workload}, []conn.Owner{shop}, "frosty_cart", "shop/cart-0", "shop/cart"},
		{Keys{Container, Pod, Workload}, []conn.Owner{{Container: "3f2a", Pod: "0a1b"}, shop, {Container: "3f2a", Pod: "0a1b"}}, "frosty_cart", "shop/cart-0", "shop/cart"},
		{Keys{Remote, Service, Process, Settings, Netns}, []conn.Owner{shop}, "", "", ""},
		{AllKeys(), []conn.Owner{{ContainerName: "a\x1bb", PodNamespace: "\n", PodName: "\xff"}}, "a?b", "?/?", "?/?"},
	} {
		var n Names
		var id ID
		for _, o := range tt.owners {
			s := conn.State{Owner: o}
			n.Take(tt.keys, &s)
			id = tt.keys.Of(&s, NewPorts())
		}
		got := [...]string{string(n.AppendContainer(nil, &id)), string(n.AppendPod(nil, &id)), string(n.AppendWorkload(nil))}
		if want := [...]string{tt.container, tt.pod, tt.workload}; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestHolder: no program is called as what is none, nor as another program.
func TestHolder(t *testing.T) {
	called := func(comm string) conn.Owner { return conn.Owner{Process: conn.Process{PID: 7, Comm: comm}} }
	said := map[string]conn.Owner{}
	for _, tt := range []struct {
		o    conn.Owner
		want string
	}{
		{conn.Owner{}, ""},
		{conn.Owner{HeldBy: conn.HeldByKernel, Module: "nfs"}, "kernel"},
		{called("shop"), "shop"},
		{called("uid"), "uid"},
		{called("pod"), "pod"},
		{called("kernel"), "kernel (program)"},
		{called("-"), "- (program)"},
		{called("uid 0"), "uid 0 (program)"},
		{called("pod 7"), "pod 7 (program)"},
		{called("container 3f2a"), "container 3f2a (program)"},
		{called("others"), "others (program)"},
		{called("not known"), "not known (program)"},
		{called("not accepted yet"), "not accepted yet (program)"},
		{called(""), "(program)"},
		{called("(program)"), "(program) (program)"},
		{called("- (program)"), "- (program) (program)"},
	} {
		got := Holder(&tt.o).String()
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.o, got, tt.want)
		}
		if other, taken := said[got]; taken {
			t.Errorf("%+v and %+v are both %q", tt.o, other, got)
		}
		said[got] = tt.o
	}
}
