// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"katrace/internal/lab"
)

// stall is a COPY to a client that PostgreSQL cannot bring to its end.
type stall struct {
	name    string // psql's application_name
	frozen  bool   // psql stops reading before its host is cut off
	options string // of the session
	// What katrace has to say of it.
	by, reason string
	estimate   bool
}

// TestStalled copies to clients whose host is cut off: PostgreSQL has data in
// flight, or a client that stopped reading before. katrace says that keepalive does
// not decide, and when the kernel gives up; then who ended the connection, with
// PostgreSQL's own error.
func TestStalled(t *testing.T) {
	const keepalive = "-c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
	const timeout = keepalive + " -c tcp_user_timeout=5000"
	for _, c := range []struct {
		name     string
		retries2 int
		stalls   []stall
	}{
		{"user timeout", 15, []stall{
			{"copy", false, timeout, "retransmission", "user_timeout", true},
			{"frozen", true, timeout, "zero_window", "user_timeout", true},
		}},
		// A peer that answers window probes is never given up: no estimate.
		{"retries", 3, []stall{
			{"copy", false, keepalive, "retransmission", "count", true},
			{"frozen", true, keepalive, "zero_window", "count", false},
		}},
	} {
		t.Run(c.name, func(t *testing.T) { testStalled(t, c.retries2, c.stalls) })
	}
}

func testStalled(t *testing.T, retries2 int, stalls []stall) {
	const port = 5433
	far := neighbour(t)
	var here *host
	if err := here.sysctl("net.ipv4.tcp_retries2", retries2); err != nil {
		t.Fatal(err)
	}
	server := stallServer(t, port)
	trace := startTrace(t, port)

	clients := make([]*process, len(stalls))
	for i, s := range stalls {
		// Rows for ever, at a pace that leaves the processor to others.
		clients[i] = startOn(t, far, io.Discard, "nobody", "/usr/bin/env", "PGAPPNAME="+s.name, "PGOPTIONS="+s.options,
			"/usr/bin/psql", "-X", "-h", nearAddr, "-p", fmt.Sprint(port), "-U", "postgres", "-d", "postgres",
			"-c", "copy (select repeat('x', 8000), pg_sleep(0.001), generate_series(1, 1000000000)) to stdout")
		s.port(t, server)
	}
	for i, s := range stalls {
		if s.frozen {
			// One that is stopped before it asks has nothing sent to it.
			await(t, "PostgreSQL to copy to "+s.name, func() bool {
				out, err := exec.CommandContext(t.Context(), "/usr/bin/psql", "-X", "-A", "-t", "-h", nearAddr, "-p", fmt.Sprint(port), "-U", "postgres", "-d", "postgres",
					"-c", "select state from pg_stat_activity where application_name = '"+s.name+"'").Output()
				return err == nil && strings.TrimSpace(string(out)) == "active"
			})
			if err := syscall.Kill(clients[i].pid(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			trace.await(t, s.port(t, server), "suspended")
		}
	}
	cutOff(t, far)
	for _, s := range stalls {
		t.Run(s.name, func(t *testing.T) {
			port := s.port(t, server)
			suspended, ended := trace.await(t, port, "suspended"), trace.await(t, port, "ended")
			t.Logf("katrace:\n%s", replayed(t, suspended.line, ended.line))
			s.check(t, suspended, ended)
			s.checkLog(t, server, ended)
		})
	}
}

// stallServer is a PostgreSQL that names connections in its log.
func stallServer(t *testing.T, port uint16) *process {
	t.Helper()
	const account = "postgres"
	bin, dir := postgresBin(t), folder(t, account)
	run(t, account, bin+"/initdb", "-D", dir+"/data", "-A", "trust", "--no-sync")
	run(t, account, "/bin/sh", "-c", "echo host all all samenet trust >>"+dir+"/data/pg_hba.conf")
	server := start(t, account, bin+"/postgres", "-D", dir+"/data", "-p", fmt.Sprint(port), "-k", dir, "-c", "listen_addresses=*", "-c", "fsync=off",
		"-c", "log_connections=on", "-c", "log_line_prefix=%m [%p] %r %a ", "-c", "log_timezone=UTC")
	postgresReady(t, server, port)
	return server
}

// cutOff loses all that comes to the host. Its hardware address stays known: ARP
// that is not answered would make EHOSTUNREACH of the error.
func cutOff(t *testing.T, h *host) {
	t.Helper()
	var mac net.HardwareAddr
	err := h.do(func() error {
		link, err := netlink.LinkByName(farEnd)
		if err != nil {
			return err
		}
		mac = link.Attrs().HardwareAddr
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	near, err := netlink.LinkByName(nearEnd)
	if err != nil {
		t.Fatal(err)
	}
	err = netlink.NeighSet(&netlink.Neigh{LinkIndex: near.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(farAddr), HardwareAddr: mac})
	if err != nil {
		t.Fatal(err)
	}
	err = h.do(func() error {
		link, err := netlink.LinkByName(farEnd)
		if err != nil {
			return err
		}
		return netlink.LinkSetARPOff(link)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// port is the client's port, as PostgreSQL's log has it.
func (s *stall) port(t *testing.T, server *process) int {
	t.Helper()
	line := regexp.MustCompile(regexp.QuoteMeta(farAddr) + `\(([0-9]+)\) \S+ LOG: +connection authorized: .*application_name=` + s.name + `\n`)
	var port int
	await(t, "PostgreSQL to let "+s.name+" in", func() bool {
		m := line.FindStringSubmatch(server.said.String())
		if m != nil {
			port, _ = strconv.Atoi(m[1]) // digits
		}
		return m != nil
	})
	return port
}

// check holds the estimate against the end.
func (s *stall) check(t *testing.T, suspended, ended *stalled) {
	t.Helper()
	waits := map[string]string{"retransmission": "retransmission", "zero_window": "window_probe"}[s.by]
	if suspended.WaitsFor != waits {
		t.Errorf("it does not wait for %s: %s", waits, suspended.line)
	}
	if ended.By != s.by || ended.Reason != s.reason || ended.Errno != "ETIMEDOUT" || ended.Process.Comm != "postgres" || ended.Unacked == 0 {
		t.Errorf("not an end by %s, %s, of postgres, with ETIMEDOUT: %s", s.by, s.reason, ended.line)
	}
	switch estimate := suspended.DiesIn; {
	case estimate == nil && s.estimate:
		t.Errorf("no estimate of the end: %s", suspended.line)
	case estimate != nil && !s.estimate:
		t.Errorf("an estimate of what may never come: %s", suspended.line)
	case estimate != nil:
		// The estimate is the timer's firing, to the tick; this machine may run it late.
		want := suspended.Time.Add(time.Duration(*estimate) * time.Millisecond)
		off := ended.Time.Sub(want)
		t.Logf("estimated %d ms before the end, off by %d ms", *estimate, off.Milliseconds())
		if off.Abs() > lab.DefaultSlack {
			t.Errorf("the end came %v after the time that was estimated", off)
		}
	}
}

// checkLog holds the end against PostgreSQL's log.
func (s *stall) checkLog(t *testing.T, server *process, ended *stalled) {
	t.Helper()
	line := regexp.MustCompile(`(\S+ \S+) UTC \S+ \S+ ` + s.name + ` (LOG|FATAL|ERROR): +could not send data to client: (.*)`)
	var m []string
	await(t, "PostgreSQL's error", func() bool {
		m = line.FindStringSubmatch(server.said.String())
		return m != nil
	})
	t.Logf("PostgreSQL: %s", m[0])
	if m[3] != "Connection timed out" {
		t.Errorf("PostgreSQL reads %q", m[3])
	}
	at, err := time.Parse("2006-01-02 15:04:05.999", m[1])
	if err != nil {
		t.Fatal(err)
	}
	// PostgreSQL waits for the socket: it reads the error once it is run.
	if late := at.Sub(ended.Time); late < -time.Millisecond {
		t.Errorf("PostgreSQL read the error %v before katrace's event", -late)
	}
}

// replayed is what katrace -o text says of the lines.
func replayed(t *testing.T, lines ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), *program, "replay", "-o", "text", write(t, t.TempDir(), "lines", strings.Join(lines, "\n")+"\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// stalled is a line of the stream, as far as this test looks at it.
type stalled struct {
	Time          time.Time
	Event         string
	By, Reason    string
	Errno         string
	WaitsFor      string `json:"waits_for"`
	Local, Remote struct{ Port int }
	Process       struct{ Comm string }
	DiesIn        *int64 `json:"dies_in_ms"`
	Unacked       int    `json:"unacked_bytes"`

	line string
}

// trace is katrace at work.
type trace struct {
	port int
	out  *lockedBuffer
}

func startTrace(t *testing.T, port uint16) *trace {
	t.Helper()
	tr := &trace{int(port), &lockedBuffer{}}
	said := &lockedBuffer{}
	cmd := exec.CommandContext(t.Context(), *program, "-o", "json", "--local-port", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = tr.out, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	})
	await(t, "katrace to begin", func() bool { return strings.Contains(said.String(), "attached by") })
	return tr
}

// await waits for an event about the client's port.
func (tr *trace) await(t *testing.T, port int, event string) *stalled {
	t.Helper()
	var found *stalled
	await(t, fmt.Sprintf("%s of port %d", event, port), func() bool {
		for line := range strings.Lines(tr.out.String()) {
			var e stalled
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				return false // half a line
			}
			if e.Event == event && e.Local.Port == tr.port && e.Remote.Port == port {
				e.line = strings.TrimSpace(line)
				found = &e
				return true
			}
		}
		return false
	})
	return found
}
