// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// TestMany: more than 100,000 events in one run, none lost, the hooks still
// attached at the end (a link that the garbage collector closes detaches
// itself), and as many probes as the kernel counts.
func TestMany(t *testing.T) {
	const want = 100_000
	conns := 4000
	if os.Getenv("KATRACE_GUEST") != "" {
		t.Log("emulated: fewer connections, events as they come")
		conns = 300
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	r := start(t, "--local-port", fmt.Sprint(port))
	counted := keepaliveProbes(t)
	// Every accepted socket probes its peer once a second.
	for range conns {
		c, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp4", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		a, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.Close() }()
		cfg := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}
		if err := a.(*net.TCPConn).SetKeepAliveConfig(cfg); err != nil {
			t.Fatal(err)
		}
	}
	if conns == 4000 {
		waitFor(t, 2*time.Minute, "100,000 events", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.events) > want
		})
	} else {
		time.Sleep(5 * time.Second)
	}
	// Stop between two rounds of probes: the count and the events are then of one time.
	var probes, lost int
	quiet(t, func() uint64 { return keepaliveProbes(t) })
	counted = keepaliveProbes(t) - counted
	for _, e := range r.stop() {
		switch e.Kind {
		case events.KindProbe:
			probes++
		case events.KindLost:
			lost += int(e.Lost.Total())
		}
	}
	if lost != 0 || probes != int(counted) {
		t.Errorf("%d probe events, %d lost; the kernel counts %d", probes, lost, counted)
	}
	t.Logf("%d events, %d of them probes, the kernel counts %d", len(r.events), probes, counted)
}

// quiet waits until a counter stands still for a moment.
func quiet(t *testing.T, counter func() uint64) {
	t.Helper()
	for range 10_000 {
		was := counter()
		time.Sleep(50 * time.Millisecond)
		if counter() == was {
			return
		}
	}
	t.Fatal("probes never pause")
}

// keepaliveProbes is this namespace's TcpExtTCPKeepAlive.
func keepaliveProbes(t *testing.T) uint64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/net/netstat", os.Getpid(), unix.Gettid()))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
	for i, name := range names {
		if name == "TCPKeepAlive" {
			var n uint64
			if _, err := fmt.Sscan(values[i], &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no TCPKeepAlive in /proc/net/netstat")
	return 0
}
