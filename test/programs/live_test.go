// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"katrace/internal/events"
)

// alive is a program with a connection that katrace set changes while it runs.
type alive struct {
	name   string
	filter []string // of katrace set, for that connection alone
	port   string   // of one end
	before string   // what get says of it: "true 7200 75 9"
	// get is what the program's own getsockopt says; nil: it has no way to ask.
	get func() string
	// once: get can be asked once, and says only the idle time; undone then says the
	// others.
	undone func() string
	netns  string // a file of /proc: "" is the test's own
}

// TestSetLive changes sockets of programs that run. The program's own getsockopt,
// ss, katrace's stream and the kernel's counter have to agree on what comes of it,
// and the undo puts everything back.
func TestSetLive(t *testing.T) {
	all := []alive{javaAlive(t), postgresAlive(t), nginxAlive(t), containerAlive(t)}
	var ports []string
	for _, a := range all {
		ports = append(ports, a.port)
		if a.get != nil && a.undone == nil {
			if got := a.get(); got != a.before {
				t.Fatalf("%s: at first its own getsockopt says %s, want %s", a.name, got, a.before)
			}
		}
	}
	stream := filepath.Join(t.TempDir(), "stream.json")
	tracer := start(t, "", *program, "-o", "none", "--log-file", stream, "--port", strings.Join(ports, ","))
	read := func() (list []events.Event) {
		text, err := os.ReadFile(stream)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if e, err := events.ParseJSON([]byte(line)); err == nil { // the last one may be half there
				list = append(list, e)
			}
		}
		return list
	}
	await(t, "katrace to trace", func() bool { return len(read()) > 0 })
	counters := map[string]uint64{} // before, by network namespace
	for _, a := range all {
		counters[a.netns] = keepalives(t, a.netns)
	}
	audit := filepath.Join(t.TempDir(), "audit.json")
	undo := func(i int) string { return fmt.Sprint(audit, i) }
	for i, a := range all {
		katraceSet(t, append([]string{"--on", "--idle", "2", "--intvl", "1", "--cnt", "3", "--force", "--apply", "--undo-file", undo(i), "--log-file", audit}, a.filter...)...)
	}
	for _, a := range all {
		if a.get != nil {
			if got, want := a.get(), "true 2 1 3"; !strings.Contains(want, got) {
				t.Errorf("%s: its own getsockopt says %s, want %s", a.name, got, want)
			}
		}
		if a.netns == "" {
			timer(t, a)
		}
	}
	// Two probes of each, at the new times, and the answer to the first.
	of := func(list []events.Event, port string, k events.Kind) (found []events.Event) {
		for _, e := range list {
			if e.Kind == k && (fmt.Sprint(e.Local.Port()) == port || fmt.Sprint(e.Remote.Port()) == port) {
				found = append(found, e)
			}
		}
		return found
	}
	for _, a := range all {
		await(t, "two probes on the connection of "+a.name, func() bool { return len(of(read(), a.port, events.KindProbe)) > 1 })
	}
	for i := range all {
		katraceSet(t, "--undo", undo(i), "--apply", "--log-file", audit)
	}
	var counted uint64
	for netns, before := range counters {
		counted += keepalives(t, netns) - before
	}
	for _, a := range all {
		switch {
		case a.undone != nil:
			if got := a.undone(); !strings.HasSuffix(a.before, got) {
				t.Errorf("%s: after the undo its own getsockopt says %s, want %s", a.name, got, a.before)
			}
		case a.get != nil:
			if got := a.get(); got != a.before {
				t.Errorf("%s: after the undo its own getsockopt says %s, want %s", a.name, got, a.before)
			}
		}
	}
	_ = tracer.cmd.Process.Signal(syscall.SIGINT)
	await(t, "katrace to end", func() bool { l := read(); return l[len(l)-1].Kind == events.KindStop })
	list := read()
	var probes uint64
	for _, a := range all {
		found := of(list, a.port, events.KindProbe)
		probes += uint64(len(found))
		for _, e := range found {
			if k := e.Keepalive; k.Idle.Seconds() != 2 || k.Interval.Seconds() != 1 || k.Count != 3 || e.IdleFor.Seconds() < 1.99 || e.IdleFor.Seconds() > 60 {
				t.Errorf("%s: a probe by %+v, idle for %s", a.name, k, e.IdleFor)
			}
		}
		if len(of(list, a.port, events.KindAnswer)) == 0 {
			t.Errorf("%s: no probe was answered", a.name)
		}
	}
	if missed := list[len(list)-1].Tracing.Lost.Missed; counted < probes || counted > probes+missed {
		t.Errorf("the kernel counts %d probes, katrace told %d and missed %d firings", counted, probes, missed)
	}
	text, err := os.ReadFile(audit)
	if err != nil || strings.Count(string(text), `"event":"set"`) != 2*len(all) {
		t.Errorf("%v: the log of katrace set:\n%s", err, text)
	}
}

// katraceSet runs katrace set, which has to change what it is to.
func katraceSet(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), *program, append([]string{"set"}, args...)...).CombinedOutput()
	t.Logf("katrace set %s\n%s", strings.Join(args, " "), out)
	if err != nil || strings.Contains(string(out), "katrace: 0 of") || strings.Contains(string(out), "nothing to set") {
		t.Fatal(err)
	}
	return string(out)
}

// Without a number the timer is due.
var keepaliveTimer = regexp.MustCompile(`timer:\(keepalive,(?:([0-9.]+)(ms|sec))?,`)

// timer holds what ss says of the connection's timer against the new idle time.
func timer(t *testing.T, a alive) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "/usr/bin/ss", "-tnoH", "state", "established", "( sport = :"+a.port+" or dport = :"+a.port+" )").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range keepaliveTimer.FindAllStringSubmatch(string(out), -1) {
		left, _ := strconv.ParseFloat(m[1], 64) // "" is 0
		if m[2] == "ms" {
			left /= 1000
		}
		if left <= 2.5 { // the other end's, where it has one, runs for hours
			found++
		}
	}
	if found != 1 {
		t.Errorf("%s: ss shows %d timers that fire within 2 s, want one:\n%s", a.name, found, out)
	}
}

// keepalives is TcpExtTCPKeepAlive, which counts probes, of a network namespace.
func keepalives(t *testing.T, netns string) uint64 {
	t.Helper()
	if netns == "" {
		netns = "/proc/self/net/netstat"
	}
	text, err := os.ReadFile(netns)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, name := range names {
			if name == "TCPKeepAlive" {
				n, _ := strconv.ParseUint(words[i], 10, 64)
				return n
			}
		}
	}
	t.Fatal("no TCPKeepAlive in " + netns)
	return 0
}

// quiet listens on the port, and leaves what it accepts as the kernel makes it.
func quiet(t *testing.T, port int) {
	t.Helper()
	listener := net.ListenConfig{KeepAlive: -1}
	l, err := listener.Listen(t.Context(), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
}

// javaAlive is a JVM with a connection that has keepalive off, Java's default. A
// line on its standard input has it say what its getsockopt says.
func javaAlive(t *testing.T) alive {
	const port = 9100
	quiet(t, port)
	dir := folder(t, "root")
	source := write(t, dir, "Alive.java", fmt.Sprintf(`
import java.io.*;
import java.net.*;
import jdk.net.ExtendedSocketOptions;
public class Alive {
	public static void main(String[] args) throws Exception {
		Socket s = new Socket("127.0.0.1", %d);
		System.out.println("connected");
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		while (in.readLine() != null)
			System.out.println(s.getKeepAlive() + " " + s.getOption(ExtendedSocketOptions.TCP_KEEPIDLE) + " " +
				s.getOption(ExtendedSocketOptions.TCP_KEEPINTERVAL) + " " + s.getOption(ExtendedSocketOptions.TCP_KEEPCOUNT));
	}
}
`, port))
	p := start(t, "", "/usr/bin/java", "-XX:-UsePerfData", source)
	p.line(t, 0)
	return alive{name: "java", filter: []string{"--comm", "java", "--remote-port", fmt.Sprint(port)}, port: fmt.Sprint(port), before: "false 7200 75 9",
		get: func() string { return p.ask(t, "") }}
}

// postgresAlive is a PostgreSQL without any setting of keepalive: it switches it on
// and leaves the rest. SHOW asks getsockopt once a session for each value that is not
// configured (pq_getkeepalivesidle and the like), so here first for one, then for
// the others.
func postgresAlive(t *testing.T) alive {
	const port, account = 5434, "postgres"
	bin := postgresBin(t)
	dir := folder(t, account)
	run(t, account, bin+"/initdb", "-D", dir+"/data", "-A", "trust", "--no-sync")
	server := start(t, account, bin+"/postgres", "-D", dir+"/data", "-p", fmt.Sprint(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	postgresReady(t, server, port)
	client := start(t, account, bin+"/psql", "-X", "-q", "-A", "-t", fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres keepalives=0", port))
	if got := client.ask(t, "select 1;"); got != "1" {
		t.Fatalf("select 1: %s", got)
	}
	show := func(name string) string { return client.ask(t, "show tcp_keepalives_"+name+";") }
	return alive{name: "postgres", filter: []string{"--comm", "postgres", "--local-port", fmt.Sprint(port)}, port: fmt.Sprint(port), before: "true 7200 75 9",
		get:    func() string { return show("idle") },
		undone: func() string { return show("interval") + " " + show("count") }}
}

// nginxAlive is an nginx whose listen has no so_keepalive. It never asks getsockopt.
func nginxAlive(t *testing.T) alive {
	const port, account = 8090, "nobody"
	dir := folder(t, account)
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off; user nobody nogroup; pid %[1]s/pid; error_log stderr; worker_processes 1;
events {}
http {
	access_log off; keepalive_timeout 1h;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen 127.0.0.1:%[2]d; return 204; }
}
`, dir, port))
	server := start(t, "", "/usr/sbin/nginx", "-p", dir, "-c", conf)
	listening(t, server, port)
	dialer := net.Dialer{KeepAlive: -1}
	c, err := dialer.DialContext(context.WithoutCancel(t.Context()), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil { // so that a worker has accepted it
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return alive{name: "nginx", filter: []string{"--comm", "nginx", "--local-port", fmt.Sprint(port)}, port: fmt.Sprint(port)}
}

// containerAlive is a program in a container, in a network namespace of its own.
func containerAlive(t *testing.T) alive {
	p, id, port := container(t)
	out, err := exec.CommandContext(t.Context(), "/usr/sbin/runc", "state", id).Output()
	var state struct{ Pid int }
	if err == nil {
		err = json.Unmarshal(out, &state)
	}
	if err != nil {
		t.Fatal(err)
	}
	return alive{name: "container", filter: []string{"--container", id[:12], "--local-port", port}, port: port, before: "false 7200 75 9",
		get: func() string { return p.ask(t, "") }, netns: fmt.Sprintf("/proc/%d/net/netstat", state.Pid)}
}
