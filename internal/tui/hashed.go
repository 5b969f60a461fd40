// SPDX-License-Identifier: BSD-2-Clause

package tui

import "hash/maphash"

// hashed is a map whose values hold their keys themselves, and which keeps but a hash
// of each: the keys are large.
type hashed[K comparable, V any] struct {
	hash func(K) uint64
	key  func(*V) K
	next func(*V) **V // where a value holds the next one of its hash
	all  map[uint64]*V
}

func newHashed[K comparable, V any](key func(*V) K, next func(*V) **V) hashed[K, V] {
	seed := maphash.MakeSeed()
	return hashed[K, V]{func(k K) uint64 { return maphash.Comparable(seed, k) }, key, next, map[uint64]*V{}}
}

// get is the value of the key, nil if there is none.
func (h *hashed[K, V]) get(k K) *V {
	v := h.all[h.hash(k)]
	for v != nil && h.key(v) != k {
		v = *h.next(v)
	}
	return v
}

// put takes in a value, of whose key there is none.
func (h *hashed[K, V]) put(v *V) {
	hash := h.hash(h.key(v))
	*h.next(v), h.all[hash] = h.all[hash], v
}

// remove takes the value out, if it is in.
func (h *hashed[K, V]) remove(v *V) {
	hash := h.hash(h.key(v))
	first, next := h.all[hash], *h.next(v)
	switch {
	case first == v && next == nil:
		delete(h.all, hash)
	case first == v:
		h.all[hash] = next
	default:
		for at := first; at != nil; at = *h.next(at) {
			if *h.next(at) == v {
				*h.next(at) = next
			}
		}
	}
	*h.next(v) = nil
}
