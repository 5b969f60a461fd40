// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"katrace/internal/events"
)

// TestFleet: of a thousand hosts, one router dies. By the lines that the hosts write, a
// real collector and a real store, one query answers which peers, services and settings
// are silently dying; by their metrics a real Prometheus counts them, and says on which
// hosts. Both agree with what the hosts wrote, to the last connection.
func TestFleet(t *testing.T) {
	dir := t.TempDir()
	p := plan{hosts: *hosts, conns: 100, calm: 30 * time.Second, dead: 90 * time.Second, router: 7, dir: filepath.Join(dir, "logs"), history: *history, seed: 1}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	store := startVictoria(t)
	begun := time.Now()
	s, err := newSimulation(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	t.Logf("%d hosts with %d connections each, %d lines of the day before, made in %v", p.hosts, p.conns, p.history, time.Since(begun).Round(time.Second))
	const every = 5 * time.Second
	prom := startPrometheus(t, every, s.targets())
	otelcol := startCollector(t, dir, []string{filepath.Join(p.dir, "*.json")}, map[string]any{"logs_endpoint": store.insert()}, "victorialogs.yaml")
	if p.history > 0 {
		begun := time.Now()
		waitFor(t, 10*time.Minute, "the day before to be in the store", func() bool { return store.count(t) >= p.history })
		t.Logf("%d lines sent in %v", p.history, time.Since(begun).Round(100*time.Millisecond))
	}
	s.start()
	ran := make(chan error, 1)
	go func() { ran <- s.run(t.Context()) }()

	// From the death on, ask by the store what is dying.
	died := s.begun.Add(p.calm)
	time.Sleep(time.Until(died))
	network := fmt.Sprintf("10.20.%d", p.router)
	waitFor(t, p.dead, "the store to show the network", func() bool {
		rows := store.ask(t, readFile(t, deploy(t, "victorialogs/networks.logsql")))
		return len(rows) > 0 && rows[0]["network"] == network && number(t, rows[0]["hosts"]) >= float64(p.hosts/10)
	})
	t.Logf("a tenth of the hosts has said so %v after the death", time.Since(died).Round(time.Second))
	if err := <-ran; err != nil {
		t.Fatal(err)
	}

	waitFor(t, 5*time.Minute, "all lines to be in the store", func() bool { return store.count(t) == s.lines() })
	t.Logf("%d firings, %d lines, all in the store", s.fired, s.lines())
	want := truth(t, p.dir)
	asked := time.Now()
	rows := store.ask(t, readFile(t, deploy(t, "victorialogs/dying.logsql")))
	t.Logf("the fleet's question was answered in %v: %d rows", time.Since(asked).Round(time.Millisecond), len(rows))
	for _, row := range rows[:min(3, len(rows))] {
		t.Logf("%v", row)
	}
	got := map[group]tally{}
	for _, row := range rows {
		got[group{row["network.peer.address"], row["katrace.service.port"], row["katrace.keepalive.idle_ms"] + "/" + row["katrace.keepalive.intvl_ms"] + "/" + row["katrace.keepalive.cnt"] + "/" + row["katrace.keepalive.user_timeout_ms"]}] =
			tally{int(number(t, row["hosts"])), int(number(t, row["connections"])), int(number(t, row["recovered"])), int(number(t, row["given_up"]))}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the hosts' lines say, and the store: -want +got:\n%.4000s", diff)
	}
	if n := behindRouter(want, network); n < peersEach*5/2 {
		t.Errorf("%d groups behind the router: this test sees little", n)
	}
	networks := store.ask(t, readFile(t, deploy(t, "victorialogs/networks.logsql")))
	t.Logf("by network: %v", networks[:min(2, len(networks))])
	if networks[0]["network"] != network {
		t.Errorf("the first network is %v, want %s", networks[0], network)
	}
	counted(t, prom, s, every)
	if *pictures != "" {
		draw(t, prom, every, s.begun, *pictures)
	}
	t.Run("clickhouse", func(t *testing.T) { askClickHouse(t, p.dir, want) })
	for _, d := range []*daemon{otelcol, store.daemon, prom.daemon} {
		t.Log(d.cost(t))
	}
	t.Logf("%s of log files, %s in the store", size(t, p.dir), size(t, store.dir))
}

// A group is what the fleet's question is answered by, a tally its answer.
type group struct{ peer, service, settings string }

type tally struct{ hosts, connections, recovered, givenUp int }

// Equal is for cmp, which does not look into unexported fields.
func (a tally) Equal(b tally) bool { return a == b }

func behindRouter(all map[group]tally, network string) (n int) {
	for g := range all {
		if strings.HasPrefix(g.peer, network+".") {
			n++
		}
	}
	return n
}

// truth is the answer by the hosts' files of the last ten minutes.
func truth(t *testing.T, dir string) map[group]tally {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	type connection struct {
		host  string
		inode uint64
	}
	inHosts, inConns := map[group]map[string]bool{}, map[group]map[connection]bool{}
	all := map[group]tally{}
	since := time.Now().Add(-10 * time.Minute)
	for _, name := range files {
		for line := range bytes.Lines([]byte(readFile(t, name))) {
			e, err := events.ParseJSON(line)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e.Time.Before(since) || !dying(&e) {
				continue
			}
			k := e.Keepalive
			g := group{e.Remote.Addr().String(), strconv.Itoa(int(min(e.Local.Port(), e.Remote.Port()))),
				fmt.Sprintf("%d/%d/%d/%d", k.Idle.Milliseconds(), k.Interval.Milliseconds(), k.Count, k.UserTimeout.Milliseconds())}
			if inHosts[g] == nil {
				inHosts[g], inConns[g] = map[string]bool{}, map[connection]bool{}
			}
			inHosts[g][e.Host], inConns[g][connection{e.Host, e.Inode}] = true, true
			counts := all[g]
			switch e.Change {
			case events.ChangeRecovered:
				counts.recovered++
			case events.ChangeEnded:
				counts.givenUp++
			default:
			}
			all[g] = counts
		}
	}
	for g, counts := range all {
		counts.hosts, counts.connections = len(inHosts[g]), len(inConns[g])
		all[g] = counts
	}
	return all
}

func dying(e *events.Event) bool {
	switch e.Change {
	case events.ChangeSilent, events.ChangeUnreachable, events.ChangeRecovered:
		return true
	case events.ChangeEnded:
		return e.Verdict == events.VerdictTimedOut || e.Verdict == events.VerdictUnreachable
	default:
		return false
	}
}

// counted holds Prometheus against the hosts.
func counted(t *testing.T, prom *prometheus, s *simulation, every time.Duration) {
	t.Helper()
	want := map[string]int{}
	for _, h := range s.all {
		for line := range bytes.Lines([]byte(readFile(t, h.file.Name()))) {
			e, err := events.ParseJSON(line)
			if err != nil {
				t.Fatal(err)
			}
			if !e.Time.Before(s.begun.Add(-time.Second)) {
				want[e.Change.String()]++
			}
		}
	}
	for expr, n := range map[string]int{
		"sum(katrace_connections_silent_total)":      want["silent"],
		"sum(katrace_connections_unreachable_total)": want["unreachable"],
		"sum(katrace_connections_recovered_total)":   want["recovered"],
		"sum(katrace_ended_total)":                   want["ended"],
	} {
		last := 0.0
		waitFor(t, time.Minute, fmt.Sprintf("%s to be %d", expr, n), func() bool { last = prom.number(t, expr); return last == float64(n) })
	}
	up := prom.number(t, "sum(up)")
	if up != float64(s.hosts) {
		t.Errorf("%g hosts are scraped, want %d", up, s.hosts)
	}
	asked := time.Now()
	hit := prom.number(t, "count(katrace_connections_silent_total > 1)")
	t.Logf("%g series, %g samples a second; on how many hosts more than one connection fell silent was answered in %v: %g", prom.number(t, `sum(scrape_samples_scraped)`),
		prom.number(t, `sum(scrape_samples_scraped)`)/every.Seconds(), time.Since(asked).Round(time.Millisecond), hit)
	waitFor(t, 2*time.Minute, "the alert of the fleet", func() bool {
		return prom.number(t, `count(ALERTS{alertname="KatraceFleetSilentSurge", alertstate="firing"})`) == 1
	})
}

// A victoriaLogs is a store.
type victoriaLogs struct {
	*daemon
	address, dir string
}

func startVictoria(t testing.TB) *victoriaLogs {
	t.Helper()
	v := &victoriaLogs{address: "http://127.0.0.1:" + freePort(t), dir: t.TempDir()}
	v.daemon = run(t, *victoria, "-httpListenAddr="+strings.TrimPrefix(v.address, "http://"), "-storageDataPath="+v.dir, "-retentionPeriod=7d")
	waitFor(t, time.Minute, "VictoriaLogs to be ready", answers(v.address+"/health"))
	return v
}

func (v *victoriaLogs) insert() string { return v.address + "/insert/opentelemetry/v1/logs" }

// count is how many lines it has taken.
func (v *victoriaLogs) count(t testing.TB) int {
	t.Helper()
	if _, err := get(v.address+"/internal/force_flush", nil); err != nil {
		t.Fatal(err)
	}
	rows := v.ask(t, "* | stats count() n")
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	return int(number(t, rows[0]["n"]))
}

// ask is the rows that LogsQL's query gives: all values are strings.
func (v *victoriaLogs) ask(t testing.TB, query string) (rows []map[string]string) {
	t.Helper()
	text, err := get(v.address+"/select/logsql/query", url.Values{"query": {query}})
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	for line := range bytes.Lines(text) {
		row := map[string]string{}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t testing.TB, word string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(word, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// size is that of all files below a folder.
func size(t testing.TB, dir string) string {
	t.Helper()
	n := int64(0)
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the store merges its files
		t.Fatal(err)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// cost is what a server has taken so far.
func (d *daemon) cost(t testing.TB) string {
	t.Helper()
	status := readFile(t, fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	peak := ""
	for scanner := bufio.NewScanner(strings.NewReader(status)); scanner.Scan(); {
		if word, ok := strings.CutPrefix(scanner.Text(), "VmHWM:"); ok {
			peak = strings.TrimSpace(word)
		}
	}
	stat := strings.Fields(readFile(t, fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid)))
	ticks := number(t, stat[13]) + number(t, stat[14]) // of 10 ms; no program here has a space in its name
	return fmt.Sprintf("%s: %.0f s of a core, at most %s resident", filepath.Base(d.cmd.Path), ticks/100, peak)
}
