// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// someSockets are one of each kind.
func someSockets() []inventory.Socket {
	at := netip.MustParseAddrPort
	const known = inventory.HasUID | inventory.HasOn | inventory.HasSettings | inventory.HasUnanswered | inventory.HasIdleFor
	set := events.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	mixed := events.Settings{Idle: 2 * time.Hour, Interval: 10 * time.Second, Count: 9, Inherited: events.SettingIdle | events.SettingCount, UserTimeout: 30 * time.Second}
	return []inventory.Socket{
		{
			Netns: 4026531840, Inode: 81932, Family: events.IPv4, State: 1, Local: at("10.0.0.1:5432"), Remote: at("10.0.0.9:40122"),
			Process: events.Process{PID: 812, Comm: "postgres"}, Holders: 1, UID: 105, Cgroup: "/system.slice/postgresql.service",
			On: true, Settings: set, Own: inventory.AllSettings, WaitsFor: inventory.WaitsProbe, IdleFor: 12 * time.Second,
			NextProbe: 48 * time.Second, DiesIn: 108 * time.Second, Has: known | inventory.HasNextProbe | inventory.HasDiesIn,
		},
		{
			Netns: 4026531840, Inode: 81933, Family: events.IPv4, State: 8, Local: at("10.0.0.1:8080"), Remote: at("10.0.0.7:51000"),
			Process: events.Process{PID: 900, Comm: "evil\x1b[2J\u009b\"x"}, Holders: 3, UID: 0,
			Cgroup: "/kubepods.slice/kubepods-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/crio-3f2a9c0d1b4e5f60.scope", Container: "3f2a9c0d1b4e5f60", Pod: "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50",
			Settings: mixed, Own: events.SettingInterval, WaitsFor: inventory.WaitsNothing, IdleFor: time.Hour, Has: known,
		},
		{
			Netns: 4026531840, Inode: 81934, Family: events.IPv6, State: 1, Local: at("[2001:db8::1]:443"), Remote: at("[2001:db8::2]:50123"),
			UID: 33, On: true, WaitsFor: inventory.WaitsRetransmission, Has: inventory.HasUID | inventory.HasOn,
		},
		{
			Netns: 4026531840, Inode: 81935, Family: events.IPv4, State: 1, Local: at("10.0.0.1:5433"), Remote: at("10.0.0.9:40123"),
			Process: events.Process{PID: 813, Comm: "postgres"}, Holders: 1, UID: 105, On: true, Settings: mixed, Own: events.SettingInterval,
			WaitsFor: inventory.WaitsWindowProbe, IdleFor: time.Second, Has: known,
		},
		{
			Netns: 4026531840, Inode: 81936, Family: events.IPv4, State: 10, Local: at("0.0.0.0:5432"),
			UID: 0, WaitsFor: inventory.WaitsNothing, Has: inventory.HasUID,
		},
		{Netns: 4026531840, Family: events.IPv4, State: 5, Local: at("10.0.0.1:9000"), Remote: at("10.0.0.9:40124"), WaitsFor: inventory.WaitsFinWait2},
	}
}

const someTable = `STATE       LOCAL              REMOTE               OWNER               CONTAINER     IDLE  KEEPALIVE  SOURCE             USER  NEXT        DIES
estab       10.0.0.1:5432      10.0.0.9:40122       postgres[812]       -             12s   60s/10s/6  set                -     48s         108s
close_wait  10.0.0.1:8080      10.0.0.7:51000       evil?[2J?"x[900]+2  3f2a9c0d1b4e  1h    off        -                  30s   -           -
estab       [2001:db8::1]:443  [2001:db8::2]:50123  uid 33              -             ?     on ?/?/?   ?                  -     retransmit  -
estab       10.0.0.1:5433      10.0.0.9:40123       postgres[813]       -             1s    2h/10s/9   sysctl/set/sysctl  30s   window      -
listen      0.0.0.0:5432       -                    uid 0               -             -     -          -                  -     -           -
fin_wait2   10.0.0.1:9000      10.0.0.9:40124       -                   -             -     -          -                  -     fin_wait2   -
`

func table(t *testing.T, sockets []inventory.Socket, width int) string {
	t.Helper()
	var all []*inventory.Socket
	for i := range sockets {
		all = append(all, &sockets[i])
	}
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	l := &inventory.List{Time: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Netns: 4026531840, Sockets: sockets}
	if err := errors.Join(writeTable(w, l, all, width, false), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	if got := table(t, someSockets(), 0); got != someTable {
		t.Errorf("got\n%s\nwant\n%s", got, someTable)
	}
}

// TestTableColumns: what no row has takes no column.
func TestTableColumns(t *testing.T) {
	if got := table(t, someSockets()[:1], 0); strings.Contains(got, "CONTAINER") || strings.Contains(got, "USER") || strings.Contains(got, "NETNS") {
		t.Error(got)
	}
	two := someSockets()[:2]
	two[1].Netns++
	if got := table(t, two[1:], 0); !strings.Contains(got, "  4026531841\n") {
		t.Errorf("all in another namespace:\n%s", got)
	}
	if got := table(t, two, 0); !strings.Contains(got, "CONTAINER") || !strings.Contains(got, "USER") || !strings.Contains(got, "  4026531841\n") {
		t.Error(got)
	}
}

// TestTableFits: what people look at most fits into 80 columns.
func TestTableFits(t *testing.T) {
	for line := range strings.Lines(table(t, someSockets()[:1], 80)) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%d columns: %q", len(line)-1, line)
		}
	}
}

func TestListJSON(t *testing.T) {
	sockets := someSockets()
	want := []string{
		`{"v":1,"time":"T","netns":4026531840,"inode":81932,"family":"ipv4","state":"established","local":{"addr":"10.0.0.1","port":5432},"remote":{"addr":"10.0.0.9","port":40122},"process":{"pid":812,"comm":"postgres"},"uid":105,"cgroup":"/system.slice/postgresql.service","keepalive":{"on":true,"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"inherited":[]},"waits_for":"probe","unanswered":0,"idle_for_ms":12000,"next_probe_ms":48000,"dies_in_ms":108000}`,
		`{"v":1,"time":"T","netns":4026531840,"inode":81933,"family":"ipv4","state":"close_wait","local":{"addr":"10.0.0.1","port":8080},"remote":{"addr":"10.0.0.7","port":51000},"process":{"pid":900,"comm":"evil\u001b[2J\u009b\"x"},"holders":3,"uid":0,"cgroup":"/kubepods.slice/kubepods-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/crio-3f2a9c0d1b4e5f60.scope","container":"3f2a9c0d1b4e5f60","pod":"0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50","keepalive":{"on":false,"idle_ms":7200000,"intvl_ms":10000,"cnt":9,"user_timeout_ms":30000,"inherited":["idle","cnt"]},"waits_for":"nothing","unanswered":0,"idle_for_ms":3600000}`,
		`{"v":1,"time":"T","netns":4026531840,"inode":81934,"family":"ipv6","state":"established","local":{"addr":"2001:db8::1","port":443},"remote":{"addr":"2001:db8::2","port":50123},"uid":33,"keepalive":{"on":true},"waits_for":"retransmission"}`,
	}
	for i, w := range want {
		got := appendSocketJSON(nil, &sockets[i], "T")
		if string(got) != w {
			t.Errorf("got  %s\nwant %s", got, w)
		}
		if !json.Valid(got) {
			t.Errorf("not JSON: %s", got)
		}
	}
	// By netlink: one value differs from the sysctl and is certainly set, the others may be.
	s := sockets[3]
	s.Settings.Inherited = 0
	if got := appendSocketJSON(nil, &s, "T"); !bytes.Contains(got, []byte(`"set":["intvl"]`)) || bytes.Contains(got, []byte("inherited")) {
		t.Errorf("sources that are not known: %s", got)
	}
}

func TestListFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-o yaml", `--output "yaml": want table or json`},
		{"--state up", `unknown state "up"`},
		{"--sort colour", `--sort "colour"`},
		{"--idle-limit soon", `--idle-limit "soon"`},
		{"--idle-limit -5s", `--idle-limit "-5s"`},
		{"--watch=1ms", `--watch 1ms: want 100ms or more`},
		{"--method magic", `--method "magic"`},
		{"--port 0", `--port "0"`},
		{"--pid x", `--pid "x"`},
		{"--cgroup a", `--cgroup "a"`},
		{"--addr 10.0.0.0/33", `--addr "10.0.0.0/33"`},
		{"--watch 1ms", `--watch 1ms: want 100ms or more`},
		{"--watch soon", `takes no argument, not "soon"`},
		{"5s", `takes no argument, not "5s"`},
		{"all", `takes no argument, not "all"`},
	} {
		wantUsageError(t, newListCommand(), tt.args, tt.want)
	}
}

func TestListFilters(t *testing.T) {
	sockets := someSockets()
	sockets[3].Silent = true
	for _, tt := range []struct {
		name string
		o    listOptions
		want []int
	}{
		{"silent", listOptions{silent: true}, []int{3}},
		{"all", listOptions{}, []int{0, 1, 2, 3, 4, 5}},
		{"off", listOptions{off: true}, []int{1}},
		{"idle limit", listOptions{idleLimit: events.Middlebox{Forgets: 350 * time.Second}}, []int{1, 3}},
		{"pid", listOptions{filter: events.Filter{PIDs: []int{812}}}, []int{0}},
		{"comm", listOptions{filter: events.Filter{Comms: []string{"postgres"}}}, []int{0, 3}},
		{"cgroup", listOptions{filter: events.Filter{Cgroups: []string{"/system.slice"}}}, []int{0}},
		{"half a name of a cgroup", listOptions{filter: events.Filter{Cgroups: []string{"/system"}}}, nil},
	} {
		tt.o.hz = 250
		var got []int
		for i := range sockets {
			if tt.o.wants(&sockets[i]) {
				got = append(got, i)
			}
		}
		if len(got) != len(tt.want) || !equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func equal(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
