// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/metrics"
)

// A host has what katrace --changes --log-file --host --metrics would make there: a
// file and an address that is scraped.
type host struct {
	name    string
	addr    netip.Addr // on loopback, of this host alone
	inside  netip.Addr // its connections' address
	router  netip.Addr // that sends ICMP errors, invalid: none does
	file    *os.File
	log     *bufio.Writer
	metrics *metrics.Metrics
	conns   []*connection
	state   events.Connections
	counted uint64
	lines   int // written and to be sent
	buf     []byte
}

// metricsPort is katrace's.
const metricsPort = 9435

func newHost(dir string, n int) (*host, error) {
	h := &host{name: fmt.Sprintf("host-%05d", n), addr: netip.AddrFrom4([4]byte{127, 100, byte(n >> 8), byte(n)}),
		inside: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})}
	f, err := os.OpenFile(filepath.Join(dir, h.name+".json"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	h.file, h.log = f, bufio.NewWriterSize(f, 4<<10)
	h.metrics = metrics.New(metrics.Options{Backend: "kprobe", Version: "simulated", LogFile: true})
	return h, nil
}

// target is where the host is scraped.
func (h *host) target() string { return netip.AddrPortFrom(h.addr, metricsPort).String() }

// serve answers scrapes until ctx ends.
func (h *host) serve(ctx context.Context) error {
	l, err := metrics.Listen(ctx, h.target())
	if err == nil {
		go func() { _ = h.metrics.Serve(ctx, l) }()
	}
	return err
}

// tell counts the event, and writes its line where it changes something.
func (h *host) tell(e *events.Event) error {
	if err := h.metrics.Event(e); err != nil {
		return err
	}
	if !e.Kind.OfTracing() {
		h.counted++
	}
	if e.Change == 0 && !e.Kind.OfTracing() {
		return nil
	}
	return h.write(e)
}

func (h *host) write(e *events.Event) error {
	if e.Kind != events.KindHeartbeat { // which the collector leaves on the host
		h.lines++
	}
	h.buf = append(events.AppendJSON(h.buf[:0], e), '\n')
	_, err := h.log.Write(h.buf)
	return err
}

// list lists the sockets for the metrics.
func (h *host) list() {
	count := h.metrics.NewCount()
	for _, c := range h.conns {
		if c.over {
			continue
		}
		s := inventory.Socket{State: c.State, On: true}
		s.Has |= inventory.HasOn
		count.Add(&s)
	}
	h.metrics.Listed(count)
}

// begin writes the file's first line.
func (h *host) begin(now time.Time) error {
	h.list()
	return h.tell(&events.Event{Time: now.UTC(), Kind: events.KindStart, State: conn.State{Host: h.name},
		Tracing: &events.Tracing{Kernel: "6.12.107", Backend: "kprobe", Version: "simulated"}})
}

// heartbeat is the line and the listing of each minute.
func (h *host) heartbeat(now time.Time) error {
	h.list()
	return h.tell(&events.Event{Time: now.UTC(), Kind: events.KindHeartbeat, State: conn.State{Host: h.name},
		Tracing: &events.Tracing{Events: h.counted, Connections: h.state}})
}
