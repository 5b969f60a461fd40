// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
)

// TestFaultReuse: the memory of a socket is another connection's at once. Nothing
// of the old one's story is told of the new one, be it from the same port or from another.
// The old ones are silent, and closed with probes outstanding; the new ones
// are answered. A tracer of this test's own sees the sockets' addresses.
func TestFaultReuse(t *testing.T) {
	if !emulated() {
		beside(t)
	}
	const conns = 200
	l := newLoad(t, conns, true, 127)
	witness, err := loader.Open(loader.Options{Backend: loader.Tracepoint, Filter: conn.SocketFilter{Netns: []uint32{l.inum}}})
	if err != nil {
		t.Fatal(err)
	}
	defer witness.Close()
	r := startOne(t, l.only(), noDrops)
	old := l.conns()
	l.begin()
	time.Sleep(2500 * time.Millisecond)

	inNamespace(t, l.ns, func() error {
		socks := l.socks
		l.socks = nil
		for i, fd := range socks {
			port := 0
			if i%2 == 0 {
				port = int(old[i].Local.Port())
			}
			if err := unix.Close(fd); err != nil {
				return err
			}
			if err := l.connect(port, false, 127); err != nil {
				return fmt.Errorf("connect from port %d: %w", port, err)
			}
		}
		return nil
	})
	changed := time.Now()
	fresh := l.conns()
	l.begin()
	time.Sleep(3500 * time.Millisecond)
	l.end()

	reused, sameTuple := shared(t, witness, old, fresh)
	t.Logf("of %d new sockets %d are where an old one was, %d of them with its ports", conns, reused, sameTuple)
	if reused == 0 || sameTuple == 0 {
		t.Errorf("no address used again: this test sees nothing")
	}
	checkFresh(r, fresh, changed)
}

// checkFresh holds what is told of new connections against what they do: they
// are probed, and each probe is answered.
func checkFresh(r tracer, fresh []conn.ID, since time.Time) {
	stories := map[conn.ID][]events.Event{}
	for _, e := range r.stop() {
		if e.Time.After(since) {
			stories[e.ID()] = append(stories[e.ID()], e)
		}
	}
	for _, c := range fresh {
		story := stories[c]
		if len(story) == 0 {
			r.t.Errorf("%s: %v: no event", r.by, c.Local)
			continue
		}
		for i, e := range story {
			switch first := i == 0; {
			case first && e.Kind != events.KindProbe && e.Kind != events.KindEnabled,
				e.Kind == events.KindProbe && (e.Unanswered != 1 || e.Verdict != 0),
				e.Kind == events.KindReset, e.Kind == events.KindPeerReset:
				r.t.Errorf("%s: %v, event %d of the new connection: %s", r.by, c.Local, i, events.AppendText(nil, &e))
			}
		}
	}
}

// shared counts the new connections that are at an old one's address, and those
// of them that have its ports as well.
func shared(t *testing.T, witness *loader.Tracer, old, fresh []conn.ID) (addresses, tuples int) {
	t.Helper()
	witness.Stop()
	port := func(c conn.ID) uint16 { return c.Local.Port() }
	isFresh, isOld := map[uint16]bool{}, map[uint16]bool{}
	for i := range old {
		isOld[port(old[i])], isFresh[port(fresh[i])] = true, true
	}
	// By address: the ports seen there, one after the other; a probe that is
	// the first after another connection's end.
	last, ended := map[uint64]uint16{}, map[uint64]bool{}
	var rec loader.Record
	for {
		err := witness.Read(&rec)
		if errors.Is(err, loader.ErrFlushed) {
			return addresses, tuples
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case rec.Kind == loader.RecordClosed:
			ended[rec.Sk] = true
		case rec.Kind == loader.RecordProbe && ended[rec.Sk]:
			delete(ended, rec.Sk)
			if isFresh[rec.LocalPort] {
				addresses++
				if rec.LocalPort == last[rec.Sk] && isOld[rec.LocalPort] {
					tuples++
				}
			}
		}
		if rec.Kind == loader.RecordProbe {
			last[rec.Sk] = rec.LocalPort
		}
	}
}
