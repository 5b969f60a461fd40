// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// The steady state of the load that katrace is built for: many connections,
// each answering every probe. A probe's record then tells the answer to the
// probe before as well: two events a record.

const benchConns = 10_000

func steadyRecords() []loader.Record {
	records := make([]loader.Record, benchConns)
	for i := range records {
		r := probeRecord()
		r.Sk += uint64(i) * 64
		r.Inode += uint64(i)
		r.Time += uint64(i) * 10_000
		r.RemotePort = uint16(1024 + i%50_000)
		r.Remote[3] = byte(i >> 8)
		r.Seq = uint32(i) * 7919
		r.Flags |= loader.FlagAnswered | loader.FlagRTT
		r.Rtt = uint32(i % 3)
		records[i] = r
	}
	return records
}

// benchRecords runs the tracker over the steady records and hands every event
// to take, until b.N events are told.
func benchRecords(b *testing.B, take func(*Event) error) {
	b.Helper()
	tracker := NewTracker(4 * time.Millisecond)
	records := steadyRecords()
	for i := range records { // every connection is known
		if err := tracker.Record(&records[i], func(*Event) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	told := 0
	count := func(e *Event) error {
		told++
		return take(e)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; told < b.N; i++ {
		if err := tracker.Record(&records[i%benchConns], count); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(told)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkDecodeTrack(b *testing.B) {
	benchRecords(b, func(*Event) error { return nil })
}

func BenchmarkDecodeTrackJSON(b *testing.B) {
	var line []byte
	var json JSON
	benchRecords(b, func(e *Event) error {
		line = json.Append(line[:0], e)
		return nil
	})
}

// BenchmarkJSONInTurn encodes what two processors tell in turn: each of 40 connections of
// one process after the other.
func BenchmarkJSONInTurn(b *testing.B) {
	const processes, conns = 50, 40
	var events []Event
	for i := range processes * conns {
		e := everyKind()[0].event
		process := (i/2/conns + i%2*processes/2) % processes
		e.Process.PID += process
		e.Inode += uint64(i)
		e.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(process)}), uint16(1024+i))
		events = append(events, e)
	}
	var line []byte
	var json JSON
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		line = json.Append(line[:0], &events[i%len(events)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkJSON(b *testing.B) { benchEncoder(b, AppendJSON) }
func BenchmarkText(b *testing.B) { benchEncoder(b, AppendText) }

// benchEncoder encodes one event of the steady state, with its owner known.
func benchEncoder(b *testing.B, encode func([]byte, *Event) []byte) {
	e := &everyKind()[0].event
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = encode(line[:0], e)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// TestSteadyStateAllocates holds the benchmarked path to no allocation at all.
func TestSteadyStateAllocates(t *testing.T) {
	tracker := NewTracker(4 * time.Millisecond)
	r := probeRecord()
	r.Flags |= loader.FlagAnswered | loader.FlagRTT
	line := make([]byte, 0, 4096)
	var json JSON
	tell := func(e *Event) error {
		e.Process, e.Cgroup = conn.Process{PID: 812, Comm: "postgres"}, "/system.slice/postgresql.service"
		e.Container, e.Pod = "3f2a", "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
		line = AppendText(json.Append(line[:0], e), e)
		return nil
	}
	if n := testing.AllocsPerRun(100, func() { _ = tracker.Record(&r, tell) }); n != 0 {
		t.Errorf("%v allocations a record, want none", n)
	}
}

// TestStoryIsSmall: a story is what a processor reads at once.
func TestStoryIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(story{}); size > 64 {
		t.Errorf("%d bytes, want 64", size)
	}
}
