// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
)

// listedGroup is what the lines of list --by -o json hold.
type listedGroup struct {
	Service struct {
		Port int    `json:"port"`
		Side string `json:"side"`
	} `json:"service"`
	Process struct {
		PID  int    `json:"pid"`
		Comm string `json:"comm"`
	} `json:"process"`
	Sockets, On, Off, Unanswered, Silent, Suspended int
	NextDeath                                       *int `json:"next_death_ms"`
	Settings                                        []struct {
		Idle     int `json:"idle_ms"`
		Interval int `json:"intvl_ms"`
		Count    int `json:"cnt"`
		Sockets  int `json:"sockets"`
	}
}

// TestListGroups: four connections of this process to itself. Two of the clients
// probe peers that are silent; the others have keepalive off, as has one server,
// and the data of one is never acknowledged.
func TestListGroups(t *testing.T) {
	// What holders leave when they end is in the list for a while.
	address := ownAddress(128)
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var theirs string // a client's port
	for i := range 4 {
		c, err := net.Dial("tcp", l.Addr().String())
		must(err)
		p, err := l.Accept()
		must(err)
		t.Cleanup(func() { _ = c.Close(); _ = p.Close() })
		client, server := c.(*net.TCPConn), p.(*net.TCPConn)
		must(client.SetKeepAliveConfig(net.KeepAliveConfig{Enable: i < 2, Idle: time.Second, Interval: time.Second, Count: 127}))
		must(server.SetKeepAliveConfig(net.KeepAliveConfig{Enable: i < 3, Idle: time.Minute, Interval: 10 * time.Second, Count: 6}))
		theirs = fmt.Sprint(client.LocalAddr().(*net.TCPAddr).Port)
		if i != 2 {
			must(ignoreAll(server))
		}
		if i == 3 {
			_, err := client.Write([]byte("x"))
			must(err)
		}
	}
	schema, err := docs.Schema(docs.GroupsSchema)
	must(err)
	methods := []string{"netlink"}
	if out, _, status := katrace(t, "list", "--method", "bpf", "-o", "json"); status == 0 && out != "" {
		methods = append(methods, "bpf")
	}
	groups := func(args ...string) (groups []listedGroup) {
		t.Helper()
		out, stderr, status := katrace(t, append([]string{"list", "-o", "json", "--addr", address}, args...)...)
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		for line := range strings.Lines(out) {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
			must(err)
			if err := schema.Validate(v); err != nil {
				t.Errorf("%s%v", line, err)
			}
			var g listedGroup
			must(json.Unmarshal([]byte(line), &g))
			groups = append(groups, g)
		}
		return groups
	}
	port := l.Addr().(*net.TCPAddr).Port
	me := self(t)
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			want := make([]listedGroup, 2)
			for i, of := range []string{`{"service":{"side":"remote"},"sockets":4,"on":2,"off":2,"unanswered":2,"silent":2,"suspended":1,"settings":[{"idle_ms":1000,"intvl_ms":1000,"cnt":127,"sockets":2}]}`,
				`{"service":{"side":"local"},"sockets":4,"on":3,"off":1,"settings":[{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"sockets":3}]}`} {
				must(json.Unmarshal([]byte(of), &want[i]))
				want[i].Service.Port, want[i].Process.PID, want[i].Process.Comm = port, me.PID, me.Comm
			}
			var got []listedGroup
			waitFor(t, time.Minute, "two silent peers and one that acknowledges nothing", func() bool {
				got = groups("--method", method, "--by", "service,process")
				return len(got) > 0 && got[0].Silent == 2 && got[0].Suspended == 1
			})
			for i := range got {
				if d := got[i].NextDeath; d == nil || *d > 130_000 {
					t.Errorf("%+v: the next death is not within 127 s", got[i])
				}
				got[i].NextDeath = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// Filters choose sockets, and --limit groups.
			for _, tt := range []struct {
				args    string
				sockets []int
			}{
				{"--by service --off", []int{2, 1}}, {"--by process --silent", []int{2}}, {"--by process", []int{8}}, {"--by remote,process --limit 1", []int{4}},
				{"--by settings --sort settings", []int{3, 2, 3}}, {"--by service --limit 1", []int{4}}, {"--by process --state listen", []int{1}},
				{"--by process --idle-limit 30s", []int{6}},
			} {
				var sockets []int
				for _, g := range groups(append([]string{"--method", method}, strings.Fields(tt.args)...)...) {
					sockets = append(sockets, g.Sockets)
				}
				if diff := cmp.Diff(tt.sockets, sockets); diff != "" {
					t.Errorf("%s: -want +got:\n%s", tt.args, diff)
				}
			}
			// The port's service is known by the listener, which this filter leaves out.
			if got := groups("--method", method, "--by", "service", "--remote-port", theirs); len(got) != 1 || got[0].Service != want[1].Service {
				t.Errorf("%+v, want %+v", got, want[1].Service)
			}
			out, stderr, status := katrace(t, "list", "--method", method, "--addr", address, "--by", "process,service")
			if status != 0 || !strings.HasPrefix(out, "PROCESS") || strings.Count(out, "\n") != 3 {
				t.Errorf("status %d: %s%s", status, out, stderr)
			}
		})
	}
}
