// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// thriftEvery is how often keepThrifty looks at the heap.
const thriftEvery = 2 * time.Second

// keepThrifty bounds the garbage beside what is in use of the heap, until ctx ends and
// where the user does not say otherwise. By default there may be as much of it again:
// that is little beside a few rows of the live view, and much beside 200,000.
func keepThrifty(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(thriftEvery)
	defer tick.Stop()
	for was := 100; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		if now := garbagePercent(live[0].Value.Uint64()); now != was {
			debug.SetGCPercent(now)
			was = now
		}
	}
}

// garbagePercent is how much garbage there may be beside so many bytes in use: as much
// again, but no more than 32 MiB, or a quarter where that is more. In steps of five:
// to change it stops everything for a moment.
func garbagePercent(live uint64) int {
	return int(min(100, max(25, 100*(32<<20)/max(live, 1)/5*5)))
}
