// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkMemory reports how many bytes a row takes: of the heap, with its place in
// the latest snapshot, and what the collector's next cycle may leave beside it.
func BenchmarkMemory(b *testing.B) {
	for _, events := range []int{1, 2, 8, 20} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			const n = defaultMaxConns
			var perRow float64
			for b.Loop() {
				before := heap()
				s, _ := loaded(b, n, events*n)
				var sn Snapshot
				s.Snapshot(Query{}, 0, &sn)
				perRow = float64(heap()-before) / n
				if sn.Kept() != n {
					b.Fatalf("%d rows", sn.Kept())
				}
				runtime.KeepAlive(s)
			}
			b.ReportMetric(perRow, "B/row")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
