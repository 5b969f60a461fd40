// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"runtime"
	"testing"

	"katrace/internal/loader"
)

// address is where the kernel may have a socket of that number: side by side.
func address(sk uint64) uint64 { return 0xffff_8881_0000_0000 + sk*2368 }

// probeOf is a probe of the connection whose socket has that number.
func probeOf(sk uint64) *loader.Record {
	r := probeRecord()
	r.Flags |= loader.FlagFollowed
	r.Sk, r.RemotePort, r.Netns = address(sk), uint16(sk), uint32(sk>>16)
	return &r
}

func take(t *testing.T, tracker *Tracker, r *loader.Record) {
	t.Helper()
	if err := tracker.Record(r, func(*Event) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func (t *Tracker) total() (n uint64) {
	for _, of := range t.Connections() {
		n += of
	}
	return n
}

// TestEndsAreLost: five million connections of which no end is told. What is
// remembered is bounded by those that are followed at once, and what was thrown away
// is counted.
func TestEndsAreLost(t *testing.T) {
	const most = 1000
	conns := uint64(5_000_000)
	if testing.Short() {
		conns = 100_000
	}
	tracker := NewTracker(jiffy)
	tracker.Limit(most)
	for sk := range conns {
		take(t, tracker, probeOf(sk+1))
		if tracker.conns.Len() > most {
			t.Fatalf("%d connections are remembered, want %d at most", tracker.conns.Len(), most)
		}
	}
	if got := tracker.Evicted(); got != conns-most {
		t.Errorf("%d are counted as thrown away, want %d", got, conns-most)
	}
	if got := tracker.total(); got != most {
		t.Errorf("%d connections by verdict, want %d", got, most)
	}
}

// TestReview: of connections that are not followed any more nothing is left, of the
// others everything.
func TestReview(t *testing.T) {
	tracker := NewTracker(jiffy)
	const gone, there, heardOf, made = 1, 2, 3, 4
	for _, sk := range []uint64{gone, there, heardOf} {
		take(t, tracker, probeOf(sk))
	}
	story := func(sk uint64) *story { s, _ := tracker.conns.Get(address(sk)); return s }
	before := story(there)
	tracker.BeginReview()
	take(t, tracker, probeOf(heardOf)) // and its end is lost: the next review finds that
	take(t, tracker, probeOf(made))    // the list may have been past it
	tracker.EndReview([]uint64{address(there), address(5)})
	if story(gone) != nil || story(heardOf) == nil || story(made) == nil {
		t.Errorf("the connections that are remembered: %v", tracker.conns)
	}
	if story(there) != before {
		t.Error("the story of a connection that is there was lost")
	}
	if got := tracker.total(); got != 3 {
		t.Errorf("%d connections by verdict, want 3", got)
	}
	tracker.BeginReview()
	tracker.EndReview([]uint64{address(there)})
	if got := tracker.total(); got != 1 || story(there) == nil {
		t.Errorf("after the next review %d connections by verdict, want the one that is there", got)
	}
}

// TestMemoryIsGivenBack: what many connections take is free again when they are gone.
func TestMemoryIsGivenBack(t *testing.T) {
	const conns, left = 1 << 17, 100
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	tracker := NewTracker(jiffy)
	before := heap()
	for sk := range uint64(conns) {
		take(t, tracker, probeOf(sk+1))
	}
	full := heap()
	for sk := range uint64(conns - left) {
		r := probeOf(sk + 1)
		r.Kind = loader.RecordClosed
		take(t, tracker, r)
	}
	after := heap()
	if got := tracker.total(); got != left {
		t.Fatalf("%d connections are left, want %d", got, left)
	}
	t.Logf("%d bytes a connection", (full-before)/conns)
	if most := before + 1<<20; after > most {
		t.Errorf("%d bytes of the heap are in use with %d connections left, want %d at most", after, left, most)
	}
	if perConn := (full - before) / conns; perConn > 256 {
		t.Errorf("a connection takes %d bytes", perConn)
	}
	runtime.KeepAlive(tracker)
}
