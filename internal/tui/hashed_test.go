// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"katrace/internal/conn"
)

// TestHashed: values are found by their keys, also where keys have one hash, and
// those that were taken out are not.
func TestHashed(t *testing.T) {
	type value struct {
		key  int
		next *value
	}
	const keys = 40
	h := newHashed(func(v *value) int { return v.key }, func(v *value) **value { return &v.next })
	h.hash = func(key int) uint64 { return uint64(key % 3) }
	in := map[int]*value{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		key := random.IntN(keys)
		if v := in[key]; v == nil {
			in[key] = &value{key: key}
			h.put(in[key])
		} else {
			delete(in, key)
			h.remove(v)
			h.remove(v) // is no longer in
			h.remove(&value{key: key})
		}
		for key := range keys {
			if got := h.get(key); got != in[key] {
				t.Fatalf("key %d: %v, want %v", key, got, in[key])
			}
		}
	}
	for _, v := range in {
		h.remove(v)
	}
	if len(h.all) != 0 {
		t.Errorf("%d hashes left of nothing", len(h.all))
	}
}

// TestAlikes: what connections have in common is kept once, and as long as one has it.
func TestAlikes(t *testing.T) {
	a := newAlikes()
	shop := common{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "shop"}}}
	one, two, other := a.take(shop), a.take(shop), a.take(common{Host: "a"})
	if one != two || one == other {
		t.Error("not shared, or shared by others")
	}
	a.release(one)
	if a.get(shop) != two {
		t.Error("gone although one connection has it")
	}
	a.release(two)
	a.release(other)
	if len(a.all) != 0 {
		t.Errorf("%d left that no connection has", len(a.all))
	}
}

// TestRowIsSmall: 200,000 connections are kept. 384 bytes are a size class of Go's
// allocator; the next one is a sixth larger.
func TestRowIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(entry{}); n > 384 {
		t.Errorf("a connection takes %d bytes", n)
	}
}
