// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// TestSpansOfEachKernel: what the kernel holds as jiffies are the seconds that
// were set, whatever its HZ.
func TestSpansOfEachKernel(t *testing.T) {
	for _, hz := range []jiffies.HZ{100, 250, 300, 1000} {
		n := uint32(hz)
		var raw inventoryInventorySocket
		r := &raw.Rec
		r.Family, r.State = unix.AF_INET, uint8(conn.TCPEstablished)
		r.Idle, r.Intvl, r.IdleFor = 60*n, 75*n, 15*n
		raw.Timer = 45 * n
		raw.Flags = uint32(inventoryInventoryFlagINVENTORY_WHOLE | inventoryInventoryFlagINVENTORY_ON | inventoryInventoryFlagINVENTORY_TIMER)
		var s Socket
		(&iterator{hz: hz}).decode(&raw, &s)
		got := []time.Duration{s.Keepalive.Idle, s.Keepalive.Interval, s.IdleFor, s.expires}
		for i, want := range []time.Duration{60, 75, 15, 45} {
			if got[i] != want*time.Second {
				t.Errorf("HZ %d: %s, want %ds", hz, got[i], want)
			}
		}
	}
}

// TestReadsByLoads: a kernel that can read fields by loads takes the programs that do,
// unless it interprets programs.
func TestReadsByLoads(t *testing.T) {
	needsBPF(t)
	it, err := openIterator("")
	if err != nil {
		t.Fatal(err)
	}
	defer it.close()
	if it.slow != nil && os.Getenv("KATRACE_ENVIRONMENT") != "nojit" {
		t.Error(it.slow)
	}
}
