// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/metrics"
)

// meter is the metrics beside the stream.
type meter struct {
	*metrics.Metrics
	filter *events.Filter
	socket net.Listener // nil: they are not scraped
	file   string
	walker walker // nil: sockets cannot be listed
	say    func(format string, args ...any)
}

// walker is inventory.Walker.
type walker interface {
	Connected(ctx context.Context, each func(*inventory.Socket)) error
	Close()
}

// measure opens what the metrics need; nil where none are wanted. It is called
// before the privileges are dropped.
func (s *stream) measure(ctx context.Context, o *streamOptions) (_ *meter, err error) {
	if !o.metrics.wanted() {
		return nil, nil
	}
	m := &meter{filter: &s.filter, file: o.metrics.file, say: func(format string, args ...any) {
		if s.say != nil {
			fmt.Fprintf(s.say, "katrace: %s\n", conn.Safe(fmt.Sprintf(format, args...)))
		}
	}}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	var counts func() (events.Counts, error)
	if o.load.Counting {
		counts = s.tracer.Counts
	}
	m.Metrics = metrics.New(metrics.Options{
		Counts:   counts,
		NotKnown: events.ParseUnknown(s.tracer.Unknown()), ExactRTT: o.load.ExactRTT, Backend: string(s.tracer.Backend),
		Version: versionString(), Revision: revision(), Suppressed: suppressed(s.sink), LogFile: s.disk != nil, Labels: o.metrics.labels,
	})
	if o.metrics.addr != "" {
		if m.socket, err = metrics.Listen(ctx, o.metrics.addr); err != nil {
			return nil, fmt.Errorf("--metrics: %w", err)
		}
	}
	if m.file != "" {
		if err := m.WriteFile(m.file); err != nil {
			return nil, fmt.Errorf("--metrics-file: %w", err)
		}
	}
	if w, err := inventory.OpenWalker(o.load.BTF, s.names); err != nil {
		m.say("the metrics of listed sockets are missing: %v", err)
	} else {
		m.walker = w
	}
	s.sink = tee{s.sink, m}
	s.secondly = append(s.secondly, func() { m.Connections(s.connections()) })
	return m, nil
}

// suppressed counts what --max-rate leaves out, nil: nothing. All outputs leave out
// the same.
func suppressed(from events.Sink) func() uint64 {
	switch from := from.(type) {
	case *limiter:
		return from.total.Load
	case tee:
		for _, s := range from {
			if f := suppressed(s); f != nil {
				return f
			}
		}
	}
	return nil
}

func (m *meter) close() {
	if m.socket != nil {
		_ = m.socket.Close()
	}
	if m.walker != nil {
		m.walker.Close()
	}
}

// Wants is of wanter: what the user wants to see of a connection does not change
// what is counted.
func (m *meter) Wants(e *events.Event, _ bool) bool {
	return !e.Kind.OfTracing() && !needsAll(e.Kind) && m.filter.Socket.Match(&e.State) && m.filter.Owner.Match(&e.Owner)
}

// fileEvery is how often the metrics file is written.
const fileEvery = 15 * time.Second

// beside returns feed with the metrics' work beside it: scrapes, the file and the
// listings. At the end the file is removed: a tracer that stopped has no numbers.
func (m *meter) beside(feed func(context.Context) error) func(context.Context) error {
	if m == nil {
		return feed
	}
	return func(ctx context.Context) error {
		beside, stop := context.WithCancel(ctx)
		var running []chan struct{}
		run := func(what string, f func(context.Context) error) {
			done := make(chan struct{})
			running = append(running, done)
			go func() {
				defer close(done)
				if err := caught(func() error { return f(beside) }); err != nil && beside.Err() == nil {
					m.say("%s: %v", what, err)
				}
			}()
		}
		if m.socket != nil {
			run("--metrics", func(ctx context.Context) error { return m.Serve(ctx, m.socket) })
		}
		if m.file != "" {
			run("--metrics-file", m.writeFile)
		}
		if m.walker != nil {
			run("list the sockets", m.list)
		}
		defer func() {
			stop()
			for _, done := range running {
				<-done
			}
			m.close()
		}()
		return feed(ctx)
	}
}

func (m *meter) writeFile(ctx context.Context) error {
	defer func() { _ = os.Remove(m.file) }()
	failed := ""
	for {
		err := m.WriteFile(m.file)
		if err != nil && err.Error() != failed {
			failed = err.Error()
			m.say("--metrics-file: %v: it is tried again every %s", err, fileEvery)
		} else if err == nil {
			failed = ""
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(fileEvery):
		}
	}
}

// A listing is made every minute, or where it takes long, a quarter of a thousandth
// of the time is spent on it.
const (
	countEvery = time.Minute
	countRest  = 4000
)

func (m *meter) list(ctx context.Context) error {
	failed := ""
	for {
		begun := time.Now()
		c := m.NewCount()
		err := m.walker.Connected(ctx, c.Add)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failed = ""
			m.Listed(c)
		case err.Error() != failed:
			failed = err.Error()
			m.say("list the sockets: %v: it is tried again every %s", err, countEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(countEvery, countRest*time.Since(begun))):
		}
	}
}
