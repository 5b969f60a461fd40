// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
)

var listed = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

// someSockets are one of each kind.
func someSockets() []Socket {
	at := netip.MustParseAddrPort
	const known = conn.HasUID | HasOn | conn.HasKeepalive | conn.HasUnanswered | conn.HasIdleFor
	set := conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	mixed := conn.Settings{Idle: 2 * time.Hour, Interval: 10 * time.Second, Count: 9, Inherited: conn.SettingIdle | conn.SettingCount, UserTimeout: 30 * time.Second}
	return []Socket{
		{
			State:   conn.State{Netns: 4026531840, Inode: 81932, Family: conn.IPv4, TCPState: 1, Local: at("10.0.0.1:5432"), Remote: at("10.0.0.9:40122"), Keepalive: set, WaitsFor: conn.WaitsProbe, Has: known | conn.HasNext | conn.HasDiesIn, Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "postgres"}, UID: 105, Cgroup: "/system.slice/postgresql.service"}},
			Timer:   conn.Timer{IdleFor: 12 * time.Second, Next: 48 * time.Second, DiesIn: 108 * time.Second},
			Holders: 1,
			On:      true,
		},
		{
			State:   conn.State{Netns: 4026531840, Inode: 81933, Family: conn.IPv4, TCPState: 8, Local: at("10.0.0.1:8080"), Remote: at("10.0.0.7:51000"), Keepalive: mixed, WaitsFor: conn.WaitsNothing, Has: known, Owner: conn.Owner{Process: conn.Process{PID: 900, Comm: "evil\x1b[2J\u009b\"x"}, UID: 0, Cgroup: "/kubepods.slice/kubepods-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/crio-3f2a9c0d1b4e5f60.scope", Container: "3f2a9c0d1b4e5f60", Pod: "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"}},
			Timer:   conn.Timer{IdleFor: time.Hour},
			Holders: 3,
		},
		{
			State: conn.State{Netns: 4026531840, Inode: 81934, Family: conn.IPv6, TCPState: 1, Local: at("[2001:db8::1]:443"), Remote: at("[2001:db8::2]:50123"), WaitsFor: conn.WaitsRetransmission, Has: conn.HasUID | HasOn, Owner: conn.Owner{UID: 33}},
			On:    true,
		},
		{
			State:   conn.State{Netns: 4026531840, Inode: 81935, Family: conn.IPv4, TCPState: 1, Local: at("10.0.0.1:5433"), Remote: at("10.0.0.9:40123"), Keepalive: mixed, WaitsFor: conn.WaitsWindowProbe, Has: known, Owner: conn.Owner{Process: conn.Process{PID: 813, Comm: "postgres"}, UID: 105}},
			Timer:   conn.Timer{IdleFor: time.Second},
			Holders: 1,
			On:      true,
		},
		{
			State: conn.State{Netns: 4026531840, Inode: 81936, Family: conn.IPv4, TCPState: 10, Local: at("0.0.0.0:5432"), WaitsFor: conn.WaitsNothing, Has: conn.HasUID, Owner: conn.Owner{UID: 0}},
		},
		{State: conn.State{Netns: 4026531840, Family: conn.IPv4, TCPState: 5, Local: at("10.0.0.1:9000"), Remote: at("10.0.0.9:40124"), WaitsFor: conn.WaitsFinWait2}},
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

func tableOf(t *testing.T, sockets []Socket, width int) string {
	t.Helper()
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	l := &List{Time: listed, Netns: 4026531840, Sockets: sockets}
	all := l.Rows("")
	for i := range sockets {
		all.rows[i] = &sockets[i] // in the order in which they are written above
	}
	all.WriteTable(w, all.Len(), width, false)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	if got := tableOf(t, someSockets(), 0); got != someTable {
		t.Errorf("got\n%s\nwant\n%s", got, someTable)
	}
}

// TestTableColumns: what no row has takes no column.
func TestTableColumns(t *testing.T) {
	if got := tableOf(t, someSockets()[:1], 0); strings.Contains(got, "CONTAINER") || strings.Contains(got, "USER") || strings.Contains(got, "NETNS") {
		t.Error(got)
	}
	two := someSockets()[:2]
	two[1].Netns++
	if got := tableOf(t, two[1:], 0); !strings.Contains(got, "  4026531841\n") {
		t.Errorf("all in another namespace:\n%s", got)
	}
	if got := tableOf(t, two, 0); !strings.Contains(got, "CONTAINER") || !strings.Contains(got, "USER") || !strings.Contains(got, "  4026531841\n") {
		t.Error(got)
	}
}

// TestTableFits: what people look at most fits into 80 columns.
func TestTableFits(t *testing.T) {
	for line := range strings.Lines(tableOf(t, someSockets()[:1], 80)) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%d columns: %q", len(line)-1, line)
		}
	}
}

// TestTableAllocates: to draw a row, cells that are cut among them, takes no memory of
// its own: a list collects no garbage.
func TestTableAllocates(t *testing.T) {
	l := &List{Time: listed, Netns: 4026531840}
	for range 100 {
		l.Sockets = append(l.Sockets, someSockets()[0])
	}
	r, w := l.Rows(""), bufio.NewWriter(io.Discard)
	for _, width := range []int{0, 60} {
		n := testing.AllocsPerRun(10, func() { r.WriteTable(w, r.Len(), width, true) })
		if n > 50 {
			t.Errorf("%d columns wide: %v allocations for %d rows", width, n, r.Len())
		}
	}
}

func TestListJSON(t *testing.T) {
	sockets := someSockets()
	want := []string{
		`{"v":1,"time":"2026-11-22T01:02:03.000000000Z","netns":4026531840,"inode":81932,"family":"ipv4","state":"established","local":{"addr":"10.0.0.1","port":5432},"remote":{"addr":"10.0.0.9","port":40122},"process":{"pid":812,"comm":"postgres"},"uid":105,"cgroup":"/system.slice/postgresql.service","keepalive":{"on":true,"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"inherited":[]},"waits_for":"probe","unanswered":0,"idle_for_ms":12000,"next_probe_ms":48000,"dies_in_ms":108000}`,
		`{"v":1,"time":"2026-11-22T01:02:03.000000000Z","netns":4026531840,"inode":81933,"family":"ipv4","state":"close_wait","local":{"addr":"10.0.0.1","port":8080},"remote":{"addr":"10.0.0.7","port":51000},"process":{"pid":900,"comm":"evil\u001b[2J\u009b\"x"},"uid":0,"cgroup":"/kubepods.slice/kubepods-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/crio-3f2a9c0d1b4e5f60.scope","container":"3f2a9c0d1b4e5f60","pod":"0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50","holders":3,"keepalive":{"on":false,"idle_ms":7200000,"intvl_ms":10000,"cnt":9,"user_timeout_ms":30000,"inherited":["idle","cnt"]},"waits_for":"nothing","unanswered":0,"idle_for_ms":3600000}`,
		`{"v":1,"time":"2026-11-22T01:02:03.000000000Z","netns":4026531840,"inode":81934,"family":"ipv6","state":"established","local":{"addr":"2001:db8::1","port":443},"remote":{"addr":"2001:db8::2","port":50123},"uid":33,"keepalive":{"on":true},"waits_for":"retransmission"}`,
	}
	for i, w := range want {
		got := sockets[i].AppendJSON(nil, listed)
		if string(got) != w {
			t.Errorf("got  %s\nwant %s", got, w)
		}
		if !json.Valid(got) {
			t.Errorf("not JSON: %s", got)
		}
	}
	// By netlink: one value differs from the sysctl and is certainly set, the others may be.
	s := sockets[3]
	s.Keepalive.Inherited, s.Keepalive.Unsure = 0, conn.SettingIdle|conn.SettingCount
	if got := s.AppendJSON(nil, listed); !bytes.Contains(got, []byte(`"set":["intvl"]`)) || bytes.Contains(got, []byte("inherited")) {
		t.Errorf("sources that are not known: %s", got)
	}
}

// TestArmedCell: the table marks it.
func TestArmedCell(t *testing.T) {
	s := someSockets()[0]
	s.ArmedBeforeChange = true
	if got := tableOf(t, []Socket{s}, 0); !strings.Contains(got, " 48s*  108s\n") {
		t.Error(got)
	}
}

// TestStalledCells: where keepalive has no say, columns show what became of the data, and
// DIES the end: an estimate, none for as long as the peer answers, or not known.
func TestStalledCells(t *testing.T) {
	stalled := func(w conn.Waiting, data conn.Data, dies, userTimeout time.Duration) Socket {
		s := someSockets()[0]
		s.WaitsFor, s.Data, s.DiesIn, s.Keepalive.UserTimeout = w, data, dies, userTimeout
		if s.Has = s.Has&^(conn.HasNext|conn.HasDiesIn) | conn.HasUnacked; dies > 0 {
			s.Has |= conn.HasDiesIn
		}
		return s
	}
	for _, tt := range []struct {
		socket      Socket
		cells, keys string
	}{
		{stalled(conn.WaitsRetransmission, conn.Data{Retransmits: 5, Unacked: 100}, 12*time.Minute, 0), "  5            100      retransmit  12m\n",
			`"waits_for":"retransmission","retransmits":5,"unacked_bytes":100,"unanswered":0,"idle_for_ms":12000,"dies_in_ms":720000}`},
		{stalled(conn.WaitsRetransmission, conn.Data{Retransmits: 5, Unacked: 100}, 0, 0), "  retransmit  ?\n", `"unanswered":0,"idle_for_ms":12000}`},
		{stalled(conn.WaitsWindowProbe, conn.Data{Unacked: 65536}, 0, 0), "  0            65536    window  if unanswered\n",
			`"waits_for":"window_probe","retransmits":0,"unacked_bytes":65536,"unanswered":0,"idle_for_ms":12000}`},
		{stalled(conn.WaitsWindowProbe, conn.Data{Unacked: 65536}, 20*time.Second, time.Minute), "  window  20s\n", `"dies_in_ms":20000}`},
		{stalled(conn.WaitsWindowProbe, conn.Data{Unacked: 65536}, 0, time.Minute), "  window  ?\n", `"idle_for_ms":12000}`},
	} {
		got := tableOf(t, []Socket{tt.socket}, 0)
		if !strings.HasSuffix(got, tt.cells) || !strings.Contains(got, "  RETRANSMITS  UNACKED  NEXT") {
			t.Errorf("want %q in\n%s", tt.cells, got)
		}
		if line := string(tt.socket.AppendJSON(nil, listed)); !strings.HasSuffix(line, tt.keys) {
			t.Errorf("want %s\nin   %s", tt.keys, line)
		}
	}
	if got := tableOf(t, someSockets(), 0); strings.Contains(got, "UNACKED") {
		t.Errorf("no socket has the fact:\n%s", got)
	}
}
