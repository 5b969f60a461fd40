// SPDX-License-Identifier: BSD-2-Clause

package near

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestAgainstMap: whatever is put in and taken out, the table has what a map has:
// numbers side by side, far apart, and all of one block.
func TestAgainstMap(t *testing.T) {
	for name, number := range map[string]func(*rand.Rand) uint64{
		"side by side": func(r *rand.Rand) uint64 { return r.Uint64N(3000) },
		"far apart":    func(r *rand.Rand) uint64 { return r.Uint64N(3000) * 0x1000_0000_0000_01 },
		"of one place": func(r *rand.Rand) uint64 { return r.Uint64N(300) << 20 },
		"the largest":  func(r *rand.Rand) uint64 { return 1<<64 - 2 - r.Uint64N(100) },
		"addresses":    func(r *rand.Rand) uint64 { return 0xffff8881_00000000 + r.Uint64N(2000)*2304 },
	} {
		for _, unit := range []uint{0, 11} {
			r := rand.New(rand.NewPCG(1, uint64(unit)))
			table, want := Table[int]{Unit: unit}, map[uint64]int{}
			for i := range 20_000 {
				key := number(r)
				if r.IntN(5) < 2 || i > 15_000 {
					table.Delete(key)
					delete(want, key)
				} else {
					table.Put(key, i)
					want[key] = i
				}
				other := number(r)
				got, ok := table.Get(other)
				if value, is := want[other]; got != value || ok != is || table.Len() != len(want) {
					t.Fatalf("%s, unit %d, after %d steps: %d is %d, %v of %d values; want %d, %v of %d", name, unit, i, other, got, ok, table.Len(), value, is, len(want))
				}
			}
			if got := maps.Collect(table.All()); !maps.Equal(got, want) {
				t.Errorf("%s, unit %d: %d values are gone through, want %d", name, unit, len(got), len(want))
			}
			bigger, grown := table.Grown(100_000)
			if got := maps.Collect(bigger.All()); !grown || !maps.Equal(got, want) || !maps.Equal(maps.Collect(table.All()), want) {
				t.Errorf("%s, unit %d: %d values in a larger one, want %d", name, unit, len(got), len(want))
			}
			smaller, shrunk := bigger.Shrunk()
			if got := maps.Collect(smaller.All()); !shrunk || !maps.Equal(got, want) || len(smaller.slots) > max(least, 8*len(want)) {
				t.Errorf("%s, unit %d: %d values in a smaller one of %d, want %d", name, unit, len(got), len(smaller.slots), len(want))
			}
			if _, shrunk := smaller.Shrunk(); shrunk {
				t.Errorf("%s, unit %d: it could be smaller still", name, unit)
			}
			if _, grown := bigger.Grown(100_000); grown {
				t.Errorf("%s, unit %d: there is no room for what room was made for", name, unit)
			}
		}
	}
}

// TestSteps: a look-up takes few steps, however the numbers lie.
func TestSteps(t *testing.T) {
	for name, number := range map[string]func(i uint64) uint64{
		"inodes":        func(i uint64) uint64 { return 1000 + i },
		"every second":  func(i uint64) uint64 { return 1000 + 2*i },
		"every eighth":  func(i uint64) uint64 { return 8 * i },
		"every 4096th":  func(i uint64) uint64 { return i << 12 },
		"some together": func(i uint64) uint64 { return i%6 + i/6*1024 },
	} {
		var table Table[struct{}]
		const n = 700_000
		for i := range uint64(n) {
			table.Put(number(i), struct{}{})
		}
		var steps int
		for i := range uint64(n) {
			key := number(i)
			steps += 1 + table.steps(table.home(key), table.find(key))
		}
		t.Logf("%s: %.2f steps", name, float64(steps)/n)
		if steps > 4*n {
			t.Errorf("%s: %.2f steps a look-up", name, float64(steps)/n)
		}
	}
}

// TestAllEnds: who goes through it may stop.
func TestAllEnds(t *testing.T) {
	var table Table[int]
	for i := range uint64(100) {
		table.Put(i, 0)
	}
	n := 0
	for range table.All() {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d values after three", n)
	}
}

// TestSome: each of the numbers is some number's.
func TestSome(t *testing.T) {
	table := Table[int]{Unit: 11}
	if _, ok := table.Some(7); ok {
		t.Error("one of none")
	}
	const n = 1000
	for i := range uint64(n) {
		table.Put(0xffff8881_00000000+i*2304, 0)
	}
	r, got := rand.New(rand.NewPCG(1, 1)), map[uint64]bool{}
	for range 100 * n {
		key, ok := table.Some(r.Uint64())
		if _, in := table.Get(key); !ok || !in {
			t.Fatalf("%#x, %v is not in", key, ok)
		}
		got[key] = true
	}
	if len(got) != n {
		t.Errorf("%d of %d numbers", len(got), n)
	}
}

// BenchmarkGet looks up a million neighbours, one after the other.
func BenchmarkGet(b *testing.B) {
	const n = 1_000_000
	var table Table[uint64]
	of := map[uint32]uint64{}
	for i := range uint64(n) {
		table.Put(i, i)
		of[uint32(i)] = i
	}
	b.Run("table", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if v, ok := table.Get(i % n); !ok || v != i%n {
				b.Fatal(v)
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			if v, ok := of[uint32(i%n)]; !ok || v != i%n {
				b.Fatal(v)
			}
		}
	})
}
