// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// counters are those of both hosts, summed up, by group and name: "Tcp:PassiveOpens".
type counters map[string]int

func (c counters) since(before counters) counters {
	grown := counters{}
	for name, n := range c {
		if d := n - before[name]; d != 0 {
			grown[name] = d
		}
	}
	return grown
}

func huntCounters(t *testing.T, hosts []*host) counters {
	t.Helper()
	sum := counters{}
	for _, h := range hosts {
		err := h.do(func() error {
			for _, name := range []string{"netstat", "snmp"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + name)
				if err != nil {
					return err
				}
				sum.add(text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sum
}

// add reads the text of /proc/net/netstat or snmp: two lines a group, the names
// and the values.
func (c counters) add(text []byte) {
	var names [][]byte
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || !bytes.HasPrefix(fields[0], []byte("Tcp")) {
			continue
		}
		if names == nil || !bytes.Equal(names[0], fields[0]) {
			names = fields
			continue
		}
		for i := 1; i < len(fields); i++ {
			if n, err := strconv.Atoi(string(fields[i])); err == nil {
				c[string(fields[0])+string(names[i])] += n
			}
		}
		names = nil
	}
}

// told is a line of the stream, as far as the hunt looks at it.
type told struct {
	Time          time.Time
	Event, Change string
	By, Errno     string
	WaitsFor      string `json:"waits_for"`
	Local, Remote struct{ Port int }
	Lost          *struct{ Ring, Missed, Follow int }

	line string
}

// hunt is what katrace told in a hunt, and what the programs logged.
type hunt struct {
	events   map[string]int // how many of each
	trouble  []told         // those that need an explanation
	probes   int
	lost     int
	postgres []logged // the ends of connections whose client was killed
	nginx    []logged // the ends of connections by a RST
}

// logged is a line of a server's log about the end of a connection.
type logged struct {
	port int // the client's
	at   time.Time
	line string
}

// about finds a server's line about the end of a connection. A port may be used
// again, but not within seconds: TIME_WAIT.
func about(lines []logged, port int, at time.Time) string {
	for _, l := range lines {
		if l.port == port && l.at.Sub(at).Abs() < 5*time.Second {
			return l.line
		}
	}
	return ""
}

// judgeHunt holds every end, silence, suspension and drop against the programs' logs.
func judgeHunt(t *testing.T, grown counters) {
	h := &hunt{events: map[string]int{}}
	h.readStream(t)
	h.readPostgres(t)
	h.readNginx(t)
	t.Logf("events: %v; %d lost", h.events, h.lost)
	if text := readLog(t, "clients.log"); strings.Contains(text, "FAILED") {
		t.Errorf("a client failed: see %s/clients.log", *huntLogs)
	}

	// Every probe is told, and only these.
	if sent := grown["TcpExt:TCPKeepAlive"]; h.probes > sent || h.probes+h.lost < sent {
		t.Errorf("%d probes by the kernel's count; %d told, and %d firings counted as lost", sent, h.probes, h.lost)
	}
	// No timer of the kernel's ended a connection.
	if n := grown["TcpExt:TCPAbortOnTimeout"]; n != 0 {
		t.Errorf("something is wrong with this hunt: the kernel itself gave %d connections up", n)
	}

	var ends []logged
	for _, e := range h.trouble {
		if why := h.explain(e); why != "" {
			t.Logf("%s %d > %d: %s", e.Event, e.Local.Port, e.Remote.Port, why)
		} else {
			t.Errorf("nothing in the logs explains %s", e.line)
		}
		if e.Change == "ended" {
			ends = append(ends, logged{e.Remote.Port, e.Time, e.line})
		}
	}
	missing := 0
	for _, l := range h.nginx {
		if about(ends, l.port, l.at) == "" {
			missing++
			t.Logf("nothing was told of the end of port %d: %s", l.port, l.line)
		}
	}
	if missing > 0 && h.lost == 0 {
		t.Errorf("%d ends that nginx logged were not told, and nothing is said to be lost", missing)
	}
	t.Logf("nginx logged %d ends by a RST, %d of them were not told; %d ends were told in all", len(h.nginx), missing, len(ends))
}

// explain is what in the programs' logs agrees with an event; "" where nothing does.
func (h *hunt) explain(e told) string {
	switch {
	case e.Change == "ended" && e.Event != "reset" && e.By != "retransmission" && e.By != "zero_window":
		switch e.Local.Port {
		case huntPostgres:
			return about(h.postgres, e.Remote.Port, e.Time)
		case huntNginx, huntFile:
			return about(h.nginx, e.Remote.Port, e.Time)
		}
	case e.Event == "suspended" || e.Event == "resumed":
		if e.Local.Port == huntFile && e.WaitsFor == "window_probe" {
			return "its client reads slowly, or not at all for a while"
		}
	}
	return ""
}

func readLog(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(*huntLogs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (h *hunt) readStream(t *testing.T) {
	for line := range strings.Lines(readLog(t, "katrace.json")) {
		var e told
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		e.line = line
		h.events[e.Event]++
		switch e.Event {
		case "probe":
			h.probes++
		case "lost":
			h.lost += e.Lost.Ring + e.Lost.Missed + e.Lost.Follow
		}
		switch e.Event {
		case "reset", "peer_reset", "ended", "suspended", "resumed", "dropped", "icmp":
			h.trouble = append(h.trouble, e)
		default:
			if e.Change != "" { // silent, unreachable, recovered
				h.trouble = append(h.trouble, e)
			}
		}
	}
}

// readPostgres finds the connections of psql that is killed, by its application_name.
func (h *hunt) readPostgres(t *testing.T) {
	killed := regexp.MustCompile(`^(\S+ \S+) UTC \S+ [0-9.]+\(([0-9]+)\) ` + killedName + ` LOG: +disconnection`)
	for line := range strings.Lines(readLog(t, "postgres.log")) {
		if m := killed.FindStringSubmatch(line); m != nil {
			at, err := time.Parse("2006-01-02 15:04:05.999", m[1])
			if err != nil {
				t.Fatal(err)
			}
			h.postgres = append(h.postgres, logged{number(t, m[2]), at, strings.TrimSpace(line)})
		}
	}
}

// readNginx finds the ports of connections that were reset: the error log has
// their number, the access log the port of each number.
func (h *hunt) readNginx(t *testing.T) {
	ports := map[string]int{}
	access := regexp.MustCompile(`\*([0-9]+) \S+ ([0-9]+) `)
	for line := range strings.Lines(readLog(t, "nginx-access.log")) {
		if m := access.FindStringSubmatch(line); m != nil {
			ports[m[1]] = number(t, m[2])
		}
	}
	reset := regexp.MustCompile(`^(\S+ \S+) .*\*([0-9]+) .*104: Connection reset by peer`)
	for line := range strings.Lines(readLog(t, "nginx.log")) {
		if m := reset.FindStringSubmatch(line); m != nil {
			at, err := time.ParseInLocation("2006/01/02 15:04:05", m[1], time.Local)
			if err != nil {
				t.Fatal(err)
			}
			h.nginx = append(h.nginx, logged{ports[m[2]], at, strings.TrimSpace(line)})
		}
	}
}

func number(t *testing.T, digits string) int {
	t.Helper()
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
