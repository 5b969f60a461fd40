// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"runtime"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// numbered is an event of the connection with that number, of a process of its own
// where there are several.
func numbered(n, processes int) *events.Event {
	e := on(events.KindProbe, uint16(n), uint64(n+1))
	e.Local = netip.AddrPortFrom(e.Local.Addr(), uint16(n>>16))
	e.Process = conn.Process{PID: 1 + n%processes, Comm: "shop"}
	return e
}

// TestOwnersAreForgotten: connections that close without an event, each of a process
// of its own. What is remembered of them is bounded, and the latest are remembered.
func TestOwnersAreForgotten(t *testing.T) {
	conns := 2_000_000
	if testing.Short() {
		conns = 600_000
	}
	for processes, remembered := range map[int]int{3: maxOwned, conns: maxOwners} {
		var o owned
		before := heapInUse()
		for n := range conns {
			o.remember(numbered(n, processes))
			if len(o.now.conns) > maxOwned || len(o.now.owners) > maxOwners {
				t.Fatalf("%d connections of %d owners are remembered", len(o.now.conns), len(o.now.owners))
			}
		}
		took := heapInUse() - before
		t.Logf("of %d connections of %d processes %d are remembered, in %d KiB", conns, processes, len(o.now.conns)+len(o.old.conns), took>>10)
		if took > 20<<20 {
			t.Errorf("of %d connections of %d processes %d bytes are remembered", conns, processes, took)
		}
		for _, n := range []int{conns - 1, conns - remembered} {
			e := numbered(n, processes)
			e.Process = conn.Process{}
			if !o.recall(e) || e.Process.PID != 1+n%processes {
				t.Errorf("connection %d of %d, of %d processes, is not remembered, or is process %d's", n, conns, processes, e.Process.PID)
			}
			if o.forget(e); o.recall(e) {
				t.Errorf("connection %d has ended, and is remembered", n)
			}
		}
		if o.recall(numbered(0, processes)) {
			t.Error("the first connection is still remembered")
		}
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
