// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/tui"
)

// dialed is a loopback connection of which both ends have keepalive on, or off.
func dialed(t *testing.T, keepalive bool) (near, far net.Conn) {
	t.Helper()
	on := net.KeepAliveConfig{Enable: keepalive, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}
	l, err := (&net.ListenConfig{KeepAlive: -1, KeepAliveConfig: net.KeepAliveConfig{}}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if near, err = (&net.Dialer{KeepAlive: -1}).Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		t.Cleanup(func() { _ = c.Close() })
		if err := c.(*net.TCPConn).SetKeepAliveConfig(on); err != nil {
			t.Fatal(err)
		}
	}
	return near, far
}

// deafen makes the connection's end drop all that comes.
func deafen(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	if cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

func port(c net.Conn) uint16 { return uint16(c.LocalAddr().(*net.TCPAddr).Port) }

// TestListing lists real sockets into the view's store: those with keepalive,
// as far as the filter wants them, for as long as they are there.
func TestListing(t *testing.T) {
	near, far := dialed(t, true)
	quiet, _ := dialed(t, false)
	store := tui.NewStore(tui.Options{})
	list := func(f events.Filter) int {
		t.Helper()
		l := newListing(&streamOptions{filter: f}, store)
		lister, err := inventory.Open(l.options)
		if err != nil {
			t.Fatal(err)
		}
		defer lister.Close()
		if err := l.once(context.Background(), lister); err != nil {
			t.Fatal(err)
		}
		var sn tui.Snapshot
		store.Snapshot(tui.Query{}, 0, &sn)
		if sn.Total != 0 {
			t.Errorf("%d events", sn.Total)
		}
		return sn.Kept()
	}
	var here unix.Stat_t // other namespaces may have the same ports
	if err := unix.Stat("/proc/self/ns/net", &here); err != nil {
		t.Fatal(err)
	}
	in := conn.SocketFilter{Netns: []uint32{uint32(here.Ino)}}
	ports := func(ports ...uint16) events.Filter { f := in; f.Ports = ports; return events.Filter{Socket: f} }
	local := func(port uint16) events.Filter {
		f := in
		f.LocalPorts = []uint16{port}
		return events.Filter{Socket: f}
	}

	if n := list(ports(port(near))); n != 2 {
		t.Errorf("%d rows for the connection's two ends", n)
	}
	if n := list(local(port(near))); n != 1 {
		t.Errorf("%d rows for its near end", n)
	}
	if n := list(ports(port(quiet))); n != 0 {
		t.Errorf("%d rows for one without keepalive", n)
	}
	f := ports(port(near))
	f.Owner.Comms = []string{"nobody"}
	if n := list(f); n != 0 {
		t.Errorf("%d rows of nobody", n)
	}
	deafen(t, far) // so that the FIN stays unacknowledged
	_ = near.Close()
	if n := list(local(port(near))); n != 0 {
		t.Errorf("%d rows for an end that nobody holds any more", n)
	}
	_ = far.Close()
	if n := list(ports(port(near))); n != 0 {
		t.Errorf("%d rows after it was closed", n)
	}
}

// TestListingIsForConnections: who asks for certain events gets no sockets.
func TestListingIsForConnections(t *testing.T) {
	for _, f := range []events.Filter{{Dead: true}, {Silent: true}, {Kinds: []events.Kind{events.KindReset}}} {
		if newListing(&streamOptions{filter: f}, nil) != nil {
			t.Errorf("listed with %+v", f)
		}
	}
	l := newListing(&streamOptions{filter: events.Filter{Socket: conn.SocketFilter{Netns: []uint32{1}}}}, tui.NewStore(tui.Options{}))
	lister, err := inventory.Open(l.options)
	if err != nil {
		t.Fatal(err)
	}
	defer lister.Close()
	if err := l.once(context.Background(), lister); err == nil {
		t.Error("a namespace that is not there: no error")
	}
}

// TestListingNotice: the view says which namespaces are not listed, and for how many
// connections the container's name is late, until a listing has them.
func TestListingNotice(t *testing.T) {
	hidden := inventory.Lack{What: "network namespaces of hidden processes"}
	late := inventory.Lack{What: inventory.LateNames, Sockets: 2}
	const saysHidden = "not listed before an event: network namespaces of hidden processes"
	const saysLate = "not known for 2 sockets: " + inventory.LateNames
	l := newListing(&streamOptions{}, nil)
	for _, tt := range []struct {
		lacks []inventory.Lack
		want  string
	}{
		{[]inventory.Lack{hidden, late}, saysHidden + "; " + saysLate},
		{[]inventory.Lack{{What: "settings", Sockets: 3}, late}, saysLate},
		{[]inventory.Lack{hidden}, saysHidden},
		{nil, ""},
	} {
		if l.note(tt.lacks); l.notice() != tt.want {
			t.Errorf("%+v: %q, want %q", tt.lacks, l.notice(), tt.want)
		}
	}
}

// TestAppendListed: what y copies of a listed row is the line that katrace list
// writes of the socket, but for who else holds it and what only it can know.
func TestAppendListed(t *testing.T) {
	schema, err := docs.Schema(docs.ListSchema)
	if err != nil {
		t.Fatal(err)
	}
	socket := inventory.Socket{
		State: conn.State{Netns: 4026531840, Inode: 7, Family: conn.IPv4, TCPState: conn.TCPEstablished, Local: netip.MustParseAddrPort("10.0.0.1:5432"), Remote: netip.MustParseAddrPort("10.0.0.9:40122"), Keepalive: conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6, Inherited: conn.SettingCount}, WaitsFor: conn.WaitsProbe, Unanswered: 1, Has: conn.HasUID | inventory.HasOn | conn.HasKeepalive | conn.HasUnanswered | conn.HasIdleFor | conn.HasNext | conn.HasDiesIn, Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "postgres"}, UID: 105, Cgroup: "/a", Container: "3f2a", Pod: "0b9e"}},
		Timer: conn.Timer{IdleFor: 61 * time.Second, Next: 9 * time.Second, DiesIn: 59 * time.Second},
		On:    true,
	}
	for name, change := range map[string]func(s *inventory.Socket){
		"known": func(*inventory.Socket) {},
		"sources not known": func(s *inventory.Socket) {
			s.Keepalive.Inherited, s.Keepalive.Unsure = 0, conn.SettingInterval|conn.SettingCount
		},
		"gives up next": func(s *inventory.Socket) { s.Next = s.DiesIn },
		"nothing known": func(s *inventory.Socket) {
			s.Has, s.WaitsFor, s.Process, s.HeldBy, s.Module = inventory.HasOn, 0, conn.Process{}, conn.HeldByKernel, "sunrpc"
		},
		"data in flight": func(s *inventory.Socket) {
			s.WaitsFor = conn.WaitsRetransmission
			s.Has &^= conn.HasNext | conn.HasDiesIn | conn.HasUnanswered
		},
	} {
		s := socket
		change(&s)
		e := s.Event(time.Unix(1e9, 5))
		got := string(appendListed(nil, &e))
		want := string(s.AppendJSON(nil, time.Unix(1e9, 5)))
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(got))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %s: %v", name, got, err)
		}
	}
}
