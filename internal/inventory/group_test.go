// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/internal/group"
	"katrace/test/hostile"
)

// crowd is a host: PostgreSQL serves two clients, one of which is silent and one
// whose first probe is out; a shop in a container has two connections to a Redis,
// one with keepalive off; and there is a connection of which little is known.
func crowd() *List {
	at := netip.MustParseAddrPort
	const known = HasOn | conn.HasKeepalive | conn.HasUnanswered
	short := conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	own := short
	own.Inherited = conn.SettingCount // the same values, from elsewhere
	user := conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, UserTimeout: 30 * time.Second}
	socket := func(local, remote string, pid int, comm string, on bool, k conn.Settings, out int, dies time.Duration) Socket {
		return Socket{
			State: conn.State{Netns: 4026531840, TCPState: conn.TCPEstablished, Local: at(local), Remote: at(remote), Keepalive: k, Unanswered: out, WaitsFor: conn.WaitsProbe,
				Has: known | conn.HasDiesIn, Owner: conn.Owner{Process: conn.Process{PID: pid, Comm: comm}}},
			Timer: conn.Timer{DiesIn: dies}, On: on, Silent: out > 1,
		}
	}
	l := &List{Time: listed, Netns: 4026531840, Ports: group.NewPorts(), Sockets: []Socket{
		socket("10.0.0.1:5432", "10.0.0.9:40122", 812, "postgres", true, short, 4, 20*time.Second),
		socket("10.0.0.1:5432", "10.0.0.9:40123", 813, "postgres", true, own, 1, 50*time.Second),
		socket("10.0.0.1:5432", "10.0.0.8:40124", 814, "postgres", true, user, 0, 5*time.Second),
		socket("10.0.0.1:41000", "10.0.0.7:6379", 900, "evil\x1b[2Jx", true, user, 0, 40*time.Second),
		socket("10.0.0.1:41001", "10.0.0.7:6379", 900, "evil\x1b[2Jx", false, user, 0, 0),
		{State: conn.State{Netns: 4026531841, TCPState: conn.TCPEstablished, Local: at("[2001:db8::1]:41002"), Remote: at("[2001:db8::2]:443")}},
	}}
	for i := range l.Sockets {
		s := &l.Sockets[i]
		if !s.On {
			s.WaitsFor, s.Has = conn.WaitsNothing, s.Has&^(conn.HasDiesIn|conn.HasUnanswered)
		}
		if s.Process.PID == 900 {
			s.Container, s.Pod = "3f2a9c0d1b4e5f60", "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
			s.PodNamespace, s.PodName = "shop", "cart-7d9f8b6c5-x2x4k"
		}
		l.Ports.Add(&s.State)
	}
	l.Ports.Add(&conn.State{Netns: 4026531840, TCPState: conn.TCPListen, Local: at("0.0.0.0:5432")})
	l.Ports.AllListeners = true
	return l
}

func keysOf(t *testing.T, words string) (keys group.Keys) {
	t.Helper()
	for _, word := range strings.Split(words, ",") {
		k, err := group.ParseKey(word)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func groupsTable(t *testing.T, l *List, by, sort string, width int, fit bool) string {
	t.Helper()
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	all := l.Groups(keysOf(t, by), sort)
	all.WriteTable(w, all.Len(), width, fit)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestGroups: the tables by each key and by several.
func TestGroups(t *testing.T) {
	for by, want := range map[string]string{
		"remote": `
REMOTE       SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
10.0.0.9           2   2    -           2       1  20s   60s/10s/6
10.0.0.7           2   1    1           -       -  40s   2h/75s/9 user 30s
10.0.0.8           1   1    -           -       -  5s    2h/75s/9 user 30s
2001:db8::2        1   ?    ?           -       -  -     -
`, "service": `
SERVICE      SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
local:5432         3   3    -           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (1)
remote:6379        2   1    1           -       -  40s   2h/75s/9 user 30s
remote:443         1   ?    ?           -       -  -     -
`, "process": `
PROCESS         SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
postgres              3   3    -           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (1)
evil?[2Jx[900]        2   1    1           -       -  40s   2h/75s/9 user 30s
-                     1   ?    ?           -       -  -     -
`, "container": `
CONTAINER     SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
-                   4   3    ?           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (1)
3f2a9c0d1b4e        2   1    1           -       -  40s   2h/75s/9 user 30s
`, "pod": `
POD                        SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
-                                4   3    ?           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (1)
shop/cart-7d9f8b6c5-x2x4k        2   1    1           -       -  40s   2h/75s/9 user 30s
`, "workload": `
WORKLOAD   SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
-                4   3    ?           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (1)
shop/cart        2   1    1           -       -  40s   2h/75s/9 user 30s
`, "settings": `
SETTINGS           SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES
60s/10s/6                2   2    -           2       1  20s
2h/75s/9 user 30s        2   2    -           -       -  5s
?                        1   ?    ?           -       -  -
off                      1   -    1           -       -  -
`, "netns": `
NETNS       SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES  KEEPALIVE
4026531840        5   4    1           2       1  20s   60s/10s/6 (2), 2h/75s/9 user 30s (2)
4026531841        1   ?    ?           -       -  -     -
`, "settings,remote": `
SETTINGS           REMOTE       SOCKETS  ON  OFF  UNANSWERED  SILENT  DIES
60s/10s/6          10.0.0.9           2   2    -           2       1  20s
off                10.0.0.7           1   -    1           -       -  -
2h/75s/9 user 30s  10.0.0.7           1   1    -           -       -  40s
2h/75s/9 user 30s  10.0.0.8           1   1    -           -       -  5s
?                  2001:db8::2        1   ?    ?           -       -  -
`} {
		if got := "\n" + groupsTable(t, crowd(), by, Worst, 0, false); got != want {
			t.Errorf("--by %s: got%swant%s", by, got, want)
		}
	}
}

// TestGroupOrders: each order, what is not known last, and the worst first of
// what is the same in that.
func TestGroupOrders(t *testing.T) {
	tried := map[string]bool{}
	l := crowd()
	for _, tt := range []struct{ by, order, want string }{
		{"remote", Worst, "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "remote", "10.0.0.7 10.0.0.8 10.0.0.9 2001:db8::2"},
		{"remote", "sockets", "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "on", "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "off", "10.0.0.7 10.0.0.9 10.0.0.8 2001:db8::2"},
		{"remote", "unanswered", "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "suspended", "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "silent", "10.0.0.9 10.0.0.7 10.0.0.8 2001:db8::2"},
		{"remote", "dies", "10.0.0.8 10.0.0.9 10.0.0.7 2001:db8::2"},
		{"service", "service", "remote:443 local:5432 remote:6379"},
		{"process", "process", "evil?[2Jx[900] postgres -"},
		{"container", "container", "3f2a9c0d1b4e -"},
		{"pod", "pod", "shop/cart-7d9f8b6c5-x2x4k -"},
		{"workload", "workload", "shop/cart -"},
		{"settings", "settings", "? off 60s/10s/6 2h/75s/9"},
		{"netns", "netns", "4026531840 4026531841"},
	} {
		tried[tt.order] = true
		for range 2 {
			slices.Reverse(l.Sockets) // whichever order they come in
			var got []string
			for line := range strings.Lines(groupsTable(t, l, tt.by, tt.order, 0, false)) {
				got = append(got, strings.Fields(line)[0])
			}
			if words := strings.Join(got[1:], " "); words != tt.want {
				t.Errorf("--by %s --sort %s: %s, want %s", tt.by, tt.order, words, tt.want)
			}
		}
	}
	for _, order := range GroupOrders(group.AllKeys()) {
		if !tried[order] {
			t.Errorf("--sort %s was not tried", order)
		}
	}
}

// TestWorst: what makes one group worse than another, the weightiest first.
func TestWorst(t *testing.T) {
	group := func(silent, unanswered, sockets int, dies time.Duration) *Group {
		return &Group{Silent: silent, Unanswered: unanswered, Sockets: sockets, deaths: [2]time.Duration{dies, dies}}
	}
	suspended := group(1, 1, 3, time.Hour)
	suspended.Suspended = 2
	order := []*Group{
		suspended,                                            // and silent: three
		group(2, 2, 2, time.Hour), group(1, 9, 9, time.Hour), // more silent ones
		group(1, 2, 9, time.Second), group(1, 2, 99, time.Minute), group(1, 2, 99, -1), // the next death
		group(0, 3, 3, time.Hour), group(0, 0, 99, time.Hour), // more unanswered ones
		group(0, 0, 9, time.Hour), group(0, 0, 8, time.Second), // the larger one: nobody is about to die
	}
	for i, a := range order {
		for j, b := range order {
			if got := worse(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%+v, %+v: %d", a, b, got)
			}
		}
	}
}

// TestNextDeath: whichever comes first, those that are not answered decide.
func TestNextDeath(t *testing.T) {
	socket := func(out int, dies time.Duration) Socket {
		s := Socket{State: conn.State{TCPState: conn.TCPEstablished, WaitsFor: conn.WaitsProbe, Unanswered: out, Has: HasOn | conn.HasUnanswered}, On: true}
		if dies > 0 {
			s.DiesIn, s.Has = dies, s.Has|conn.HasDiesIn
		}
		return s
	}
	window := socket(1, 0) // of a zero window: keepalive's counter, but not its probe
	window.WaitsFor, window.Has = conn.WaitsWindowProbe, window.Has|conn.HasUnacked
	stalled := socket(0, 9)
	stalled.WaitsFor, stalled.Has = conn.WaitsRetransmission, stalled.Has|conn.HasUnacked
	wrapped := socket(0, 0)
	wrapped.Silent, wrapped.Has = true, HasOn
	for _, tt := range []struct {
		name       string
		sockets    []Socket
		want       time.Duration // 0: none
		unanswered int
	}{
		{"all answered", []Socket{socket(0, 9), socket(0, 5), socket(0, 7)}, 5, 0},
		{"one unanswered", []Socket{socket(0, 5), socket(1, 8), socket(1, 9), socket(0, 7)}, 8, 2},
		{"none is given up", []Socket{socket(0, 0), window}, 0, 0},
		{"more than 255 probes", []Socket{socket(0, 5), wrapped}, 5, 1},
		{"one suspended", []Socket{socket(0, 5), stalled, socket(0, 4)}, 9, 0},
	} {
		for range 2 {
			slices.Reverse(tt.sockets)
			g := (&List{Sockets: tt.sockets}).grouped(keysOf(t, "netns"))[0]
			d, ok := g.NextDeath()
			if ok != (tt.want > 0) || ok && d != tt.want || g.Unanswered != tt.unanswered {
				t.Errorf("%s: %d, %t, %d unanswered; want %d, %d", tt.name, d, ok, g.Unanswered, tt.want, tt.unanswered)
			}
		}
	}
}

// TestGroupsByID: a container and a pod whose names become known late are one group
// each, with their names; a program that is called "kernel" is not the kernel.
func TestGroupsByID(t *testing.T) {
	late := conn.Owner{Container: "3f2a", Pod: "0a1b", Process: conn.Process{PID: 7, Comm: "kernel"}}
	named := late
	named.ContainerName, named.PodNamespace, named.PodName = "web", "shop", "cart-0"
	l := &List{}
	for _, o := range []conn.Owner{late, named, late, {HeldBy: conn.HeldByKernel}} {
		l.Sockets = append(l.Sockets, Socket{State: conn.State{TCPState: conn.TCPEstablished, Owner: o}})
	}
	for _, by := range []string{"container", "pod", "pod,workload", "process"} {
		r := l.Groups(keysOf(t, by), Worst)
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		r.WriteTable(w, r.Len(), 0, false)
		_ = w.Flush()
		json := string(r.AppendJSON(nil, 0))
		want := map[string][2]string{
			"container": {"web", `"container":"3f2a","container_name":"web",`}, "pod": {"shop/cart-0", `"pod":"0a1b","pod_namespace":"shop","pod_name":"cart-0",`},
			"pod,workload": {"shop/cart-0  shop/cart", `"pod_name":"cart-0","workload":"cart",`}, "process": {"kernel (program)[7]", `"process":{"pid":7,"comm":"kernel"},`},
		}[by]
		if r.Len() != 2 || !strings.Contains(b.String(), "\n"+want[0]+" ") || !strings.Contains(json, want[1]) || !strings.Contains(json, `"sockets":3,`) {
			t.Errorf("--by %s: %d groups\n%s%s", by, r.Len(), &b, json)
		}
		if json := string(r.AppendJSON(nil, 1)); by == "process" && (!strings.Contains(json, `["process"],"held_by":"kernel","sockets":1,`) || !strings.Contains(b.String(), "\nkernel  ")) {
			t.Errorf("the kernel's own: %s\n%s", json, &b)
		}
	}
}

// TestGroupsOfUnknown: programs whose names look like none are not those whose program
// is not known.
func TestGroupsOfUnknown(t *testing.T) {
	l := &List{}
	for i, p := range []conn.Process{{}, {PID: 7, Comm: "-"}, {PID: 8}} {
		for range 3 - i { // of as many sockets they are in the order of their names
			l.Sockets = append(l.Sockets, Socket{State: conn.State{TCPState: conn.TCPEstablished, Owner: conn.Owner{Process: p}}})
		}
	}
	r, table := l.Groups(keysOf(t, "process"), "sockets"), groupsTable(t, l, "process", "sockets", 0, false)
	for i, want := range [][2]string{{"-", `["process"],"sockets":3,`}, {"- (program)[7]", `"process":{"pid":7,"comm":"-"},"sockets":2,`}, {"(program)[8]", `"process":{"pid":8,"comm":""},"sockets":1,`}} {
		if json := string(r.AppendJSON(nil, min(i, r.Len()-1))); !strings.Contains(table, "\n"+want[0]+"  ") || !strings.Contains(json, want[1]) {
			t.Errorf("%d groups; want %s\n%s%s", r.Len(), want, table, json)
		}
	}
}

// TestGroupsHostile: names that do something to a terminal do nothing here.
func TestGroupsHostile(t *testing.T) {
	schema, err := docs.Schema(docs.GroupsSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range hostile.Names {
		l := crowd()
		for i := range l.Sockets {
			l.Sockets[i].Process.Comm, l.Sockets[i].Container, l.Sockets[i].Pod = name, name, name
			l.Sockets[i].PodNamespace, l.Sockets[i].PodName = name, name
		}
		for line := range strings.Lines(groupsTable(t, l, "process,container,pod,workload", Worst, 60, true)) {
			hostile.CheckPrinting(t, []byte(strings.TrimSuffix(line, "\n")))
		}
		line := l.Groups(keysOf(t, "process,container,pod,workload"), Worst).AppendJSON(nil, 0)
		hostile.CheckPrinting(t, line)
		checkLine(t, schema, line)
	}
}

// TestGroupsFit: on a narrow terminal the settings are cut first, then names.
func TestGroupsFit(t *testing.T) {
	for width, want := range map[int]string{
		80: "postgres             3  3   -          2      1 20s  60s/10s/6 (2), 2h/75s/9 us~\n",
		60: "evil?[2Jx[9~       2  1   1          -      - 40s  2h/75s/9~\n",
	} {
		if got := groupsTable(t, crowd(), "process", Worst, width, false); !strings.Contains(got, want) {
			t.Errorf("%d columns:\n%swant %s", width, got, want)
		}
	}
	if got, want := groupsTable(t, crowd(), "remote", Worst, 80, false), "\n4 groups of 6 sockets, 01:02:03 UTC\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSuspended: groups in which keepalive has no say in a connection come first.
func TestSuspended(t *testing.T) {
	l := crowd()
	for i := 3; i < 5; i++ {
		l.Sockets[i].WaitsFor, l.Sockets[i].IdleFor, l.Sockets[i].Has = conn.WaitsRetransmission, time.Minute, HasOn|conn.HasKeepalive|conn.HasIdleFor|conn.HasUnacked
	}
	l.Sockets[2].WaitsFor, l.Sockets[2].IdleFor, l.Sockets[2].Has = conn.WaitsRetransmission, time.Millisecond, HasOn|conn.HasKeepalive|conn.HasIdleFor // busy
	if got, want := groupsTable(t, l, "remote", Worst, 0, false), `REMOTE       SOCKETS  ON  OFF  UNANSWERED  SILENT  SUSPENDED  DIES  KEEPALIVE
10.0.0.7           2   1    1           -       -          2  -     2h/75s/9 user 30s
10.0.0.9           2   2    -           2       1          -  20s   60s/10s/6
10.0.0.8           1   1    -           -       -          -  -     2h/75s/9 user 30s
2001:db8::2        1   ?    ?           -       -          -  -     -
`; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestManySettings: the table counts the settings for which it has no room.
func TestManySettings(t *testing.T) {
	l := &List{}
	for i := range 50 {
		s := Socket{State: conn.State{TCPState: conn.TCPEstablished, Keepalive: conn.Settings{Idle: time.Minute, Interval: time.Second, Count: 1 + i%5}, Has: HasOn | conn.HasKeepalive}, On: true}
		if i < 20 {
			s.Keepalive.Count = 9
		}
		l.Sockets = append(l.Sockets, s)
	}
	if got, want := groupsTable(t, l, "netns", Worst, 0, false), "60s/1s/9 (20), 60s/1s/1 (6), 60s/1s/2 (6), 3 more\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %swant %s", got, want)
	}
}

// BenchmarkGroups: 218,000 sockets, to 2,000 peers and with some settings.
func BenchmarkGroups(b *testing.B) {
	l := &List{Ports: group.NewPorts()}
	for i := range 218_000 {
		s := crowd().Sockets[i%5]
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i % 2000 >> 8), byte(i % 2000)}), s.Remote.Port())
		l.Sockets = append(l.Sockets, s)
		l.Ports.Add(&s.State)
	}
	for _, by := range []string{"remote", "process", "remote,service,process,settings"} {
		var keys group.Keys
		for _, word := range strings.Split(by, ",") {
			k, _ := group.ParseKey(word)
			keys = append(keys, k)
		}
		b.Run(fmt.Sprint(by), func(b *testing.B) {
			for b.Loop() {
				l.Groups(keys, Worst)
			}
		})
	}
}
