// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestLosesNothing: the file is rotated, the collector is stopped, restarted and killed,
// rotated away from while it is down, and the other end refuses: each line arrives, and
// where the collector was not killed, once.
func TestLosesNothing(t *testing.T) {
	server := newOTLPServer(t)
	dir := t.TempDir()
	w := &writer{t: t, name: filepath.Join(dir, "katrace.json")}
	start := func() *daemon {
		return startCollector(t, dir, []string{w.name, w.name + ".1"}, map[string]any{"endpoint": server.address, "encoding": "json", "compression": "none",
			"sending_queue":    map[string]any{"queue_size": 2000, "batch": map[string]any{"flush_timeout": "100ms", "max_size": 1000}},
			"retry_on_failure": map[string]any{"initial_interval": "100ms", "max_interval": "500ms"}})
	}
	arrived := func() bool { return len(seen(t, server)) == w.n }
	const some = 500

	w.write(some)
	d := start()
	waitFor(t, time.Minute, "the lines that were there", arrived)
	w.write(some)
	w.rotate()
	w.write(some)
	waitFor(t, time.Minute, "the lines around a rotation", arrived)

	server.refuse(true)
	w.write(8 * some) // more than the queue holds
	waitFor(t, time.Minute, "a request", server.hasRefused)
	w.rotate()
	w.write(some)
	server.refuse(false)
	waitFor(t, time.Minute, "the lines that were refused", arrived)

	d.end(syscall.SIGTERM)
	w.write(some)
	w.rotate()
	w.write(some)
	d = start()
	waitFor(t, time.Minute, "the lines of before, around and after a restart", arrived)

	server.refuse(true)
	w.write(some)
	waitFor(t, time.Minute, "a request", server.hasRefused)
	d.end(syscall.SIGTERM) // with lines in its queue
	w.write(some)
	server.refuse(false)
	d = start()
	waitFor(t, time.Minute, "the lines that were refused before a restart", arrived)
	for line, times := range seen(t, server) {
		if times != 1 {
			t.Errorf("line %d arrived %d times", line, times)
		}
	}

	for range 3 {
		before := len(seen(t, server))
		w.write(4 * some)
		waitFor(t, time.Minute, "the first lines of a round", func() bool { return len(seen(t, server)) > before })
		d.end(syscall.SIGKILL)
		w.write(some)
		d = start()
	}
	waitFor(t, time.Minute, "the lines around kills", arrived)
	again := 0
	for _, times := range seen(t, server) {
		again += times - 1
	}
	t.Logf("%d lines, of which %d arrived again because the collector was killed", w.n, again)
}

// A writer writes numbered lines, as katrace does.
type writer struct {
	t    *testing.T
	name string
	n    int
}

func (w *writer) write(lines int) {
	w.t.Helper()
	f, err := os.OpenFile(w.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for range lines {
		e := events.Event{Kind: events.KindReset, Time: time.Now().UTC(), Change: events.ChangeEnded, State: conn.State{Host: "db1", Netns: 1, Family: conn.IPv4,
			Local: netip.MustParseAddrPort("10.0.0.1:5432"), Remote: netip.MustParseAddrPort("10.0.0.2:40000"), Inode: uint64(w.n + 1)}}
		if _, err := f.Write(append(events.AppendJSON(nil, &e), '\n')); err != nil {
			w.t.Fatal(err)
		}
		w.n++
	}
}

func (w *writer) rotate() {
	w.t.Helper()
	if err := os.Rename(w.name, w.name+".1"); err != nil {
		w.t.Fatal(err)
	}
}

// seen is how often each line arrived.
func seen(t *testing.T, server *otlpServer) map[int64]int {
	t.Helper()
	all := map[int64]int{}
	for _, r := range server.took(t) {
		n, ok := r.Attributes["katrace.inode"].(int64)
		if !ok {
			t.Fatal(fmt.Errorf("a record without its number: %v", r))
		}
		all[n]++
	}
	return all
}
