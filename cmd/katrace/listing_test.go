// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/loader"
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
	in := loader.Filter{Netns: []uint32{uint32(here.Ino)}}
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
	f.Comms = []string{"nobody"}
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
	l := newListing(&streamOptions{filter: events.Filter{Socket: loader.Filter{Netns: []uint32{1}}}}, tui.NewStore(tui.Options{}))
	lister, err := inventory.Open(l.options)
	if err != nil {
		t.Fatal(err)
	}
	defer lister.Close()
	if err := l.once(context.Background(), lister); err == nil {
		t.Error("a namespace that is not there: no error")
	}
}
