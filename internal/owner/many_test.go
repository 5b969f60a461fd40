// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// crowd is a made-up machine: sockets of which this process holds every one.
type crowd struct {
	sockets int
	first   atomic.Uint64 // the lowest inode number
	gone    atomic.Bool   // all but the first few
}

// few are those that are left.
const few = 100

func (c *crowd) each(yield func(found) bool) error {
	pid := int32(os.Getpid())
	for i := range c.sockets {
		if i >= few && c.gone.Load() {
			break
		}
		if !yield(found{inode: c.first.Load() + uint64(i), pid: pid, task: pid, fd: int32(i)}) {
			break
		}
	}
	return nil
}

// TestMemory: a million sockets, and as many that nobody holds, fit into what
// katrace can spare for them, and so they do when all have been replaced by others.
// When most have gone their memory is given back.
func TestMemory(t *testing.T) {
	sockets := 1_000_000
	if testing.Short() {
		sockets /= 20
	}
	heap := func() uint64 {
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before := heap()
	c := &crowd{sockets: sockets}
	c.first.Store(1)
	r := New(Options{list: c.each, MinPause: time.Millisecond})
	defer r.Close()
	r.checks.limit = 0 // /proc knows nothing of them
	<-r.first
	const unknown = 1 << 31
	check := func(when string) {
		t.Helper()
		for i := range c.sockets {
			r.Lookup(unknown + uint64(i))
		}
		got := (heap() - before) >> 20
		t.Logf("%s: %d sockets, %d MiB", when, r.remembered(), got)
		if got > 60 {
			t.Errorf("%s: %d MiB", when, got)
		}
	}
	check("after the first scan")
	c.first.Store(5_000_001)
	// Those that have gone make room by the end of a scan, so it takes two.
	eventually(t, "all others", func() bool {
		_, ok := r.Lookup(5_000_000 + uint64(sockets))
		_, gone := r.Lookup(1)
		return ok && !gone && r.remembered() == c.sockets
	})
	check("all others")
	c.gone.Store(true)
	eventually(t, "the memory of those that have gone", func() bool {
		r.Lookup(1) // has a scan made
		return r.remembered() == few && heap() < before+12<<20
	})
}

// BenchmarkFill is what an event costs when there are a million sockets.
func BenchmarkFill(b *testing.B) {
	c := &crowd{sockets: 1_000_000}
	c.first.Store(1)
	r := New(Options{list: c.each})
	defer r.Close()
	r.checks.limit = 0 // /proc knows nothing of them
	<-r.first
	bench := func(name string, first uint64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var e events.Event
			at := time.Now() // read once for many
			for i := 0; b.Loop(); i++ {
				// Half a million sockets, one after the other in no order of memory.
				e = events.Event{State: conn.State{Inode: first + uint64(i)*7919%500_000}}
				r.Fill(&e, at)
			}
		})
	}
	bench("known", 1)
	bench("unknown", 1<<31)
}
