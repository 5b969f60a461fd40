// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"

	"katrace/internal/conn"
)

// orderKey orders one connection among others: by hi, then lo, then tie.
type orderKey struct{ hi, lo, tie uint64 }

func (a orderKey) compare(b orderKey) int {
	if c := cmp.Compare(a.hi, b.hi); c != 0 {
		return c
	}
	if c := cmp.Compare(a.lo, b.lo); c != 0 {
		return c
	}
	return cmp.Compare(a.tie, b.tie)
}

// sortKey is the key that a connection had when it was put in order.
type sortKey struct {
	orderKey
	c *entry
}

// sorter keeps the order of the snapshot before: most keys have not changed
// since, and those that have are sorted and merged into the others.
type sorter struct {
	column Column
	round  uint32
	sorted []sortKey // of the last round
	kept   []sortKey // of those, the ones whose keys still hold
	moved  []sortKey
}

// begin starts a round. The connections are then offered by add, all at one moment.
func (s *sorter) begin(col Column) {
	s.column = col
	s.round++
	s.kept, s.moved = s.kept[:0], s.moved[:0]
}

// add takes a connection into the round.
func (s *sorter) add(c *entry, late bool) {
	c.key = s.column.key(c, late)
	if c.round != s.round-1 || s.round == 1 {
		s.moved = append(s.moved, sortKey{c.key, c})
	}
	c.round = s.round
}

// sift parts the last round's connections into those that have moved and those
// that have not. It looks at nothing of them but what the sorter wrote, so the
// Store need not be locked.
func (s *sorter) sift() {
	for i := range s.sorted {
		k := &s.sorted[i]
		switch {
		case k.c.round != s.round: // not part of it any more
		case k.c.key == k.orderKey:
			s.kept = append(s.kept, *k)
		default:
			s.moved = append(s.moved, sortKey{k.c.key, k.c})
		}
	}
}

// finish sorts, and appends the connections in their order to dst.
func (s *sorter) finish(dst []*entry, reverse bool) []*entry {
	slices.SortFunc(s.moved, func(a, b sortKey) int { return a.compare(b.orderKey) })
	out := s.sorted[:0]
	kept, moved := s.kept, s.moved
	for len(kept) > 0 && len(moved) > 0 {
		if kept[0].compare(moved[0].orderKey) < 0 {
			out, kept = append(out, kept[0]), kept[1:]
		} else {
			out, moved = append(out, moved[0]), moved[1:]
		}
	}
	out = append(append(out, kept...), moved...)
	clear(out[len(out):cap(out)]) // do not hold on to what was dropped
	s.sorted = out
	from := len(dst)
	for i := range out {
		dst = append(dst, out[i].c)
	}
	if reverse {
		slices.Reverse(dst[from:])
	}
	return dst
}

// key is the connection's place by the column. What the column does not tell
// apart stays in the order of first sight.
func (col Column) key(c *entry, late bool) orderKey {
	k := columnSpecs[col].key(c, late)
	if k.tie == 0 {
		k.tie = c.id
	}
	return k
}

// addrOrder orders by an address and its port.
func addrOrder(a netip.AddrPort, id uint64) (k orderKey) {
	k.hi, k.lo = addrKey(a.Addr().As16())
	k.tie = uint64(a.Port())<<48 | id
	return k
}

// textOrder orders by the first 16 bytes of a text, none last.
func textOrder(s string, id uint64) orderKey {
	name := [16]byte{0xff}
	if s != "" {
		name = [16]byte{}
		copy(name[:], s)
	}
	hi, lo := addrKey(name)
	return orderKey{hi, lo, id}
}

// badness orders by what needs a look first: what has ended, the latest first;
// what fails, by nearness of death; then the others, each class in the order
// of first sight, so that rows do not jump.
func badness(c *entry, late bool) (hi, lo uint64) {
	switch cl := c.shown; {
	case cl.ended():
		return 0, math.MaxUint64 - uint64(c.last)
	case cl.failing() || cl == classCongested || cl == classSuspended:
		// To the second: predictions shift by a few milliseconds.
		lo = soonest(c.dies, late)
		if lo != math.MaxUint64 {
			lo /= uint64(time.Second)
		}
		return uint64(cl), lo
	default:
		return uint64(cl), 0
	}
}

// soonest is a time to come as a sort key; what is not known, or past without
// news, comes last.
func soonest(at nanos, late bool) uint64 {
	if at <= 0 || late {
		return math.MaxUint64
	}
	return uint64(at)
}

func addrKey(a [16]byte) (hi, lo uint64) {
	return binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
}

// ownerKey orders by the process name, which has 15 bytes at most, then by the
// user; connections of unknown owners come last.
func ownerKey(c *entry, _ bool) (k orderKey) {
	var name [16]byte
	switch {
	case c.Process.PID != 0:
		copy(name[:], c.Process.Comm)
	case c.HeldBy == conn.HeldByKernel:
		copy(name[:], "kernel")
	case c.Has&conn.HasUID != 0:
		name[0] = 0xfe
		binary.BigEndian.PutUint32(name[1:], c.UID)
	default:
		name[0] = 0xff
	}
	k.hi, k.lo = addrKey(name)
	k.tie = uint64(c.Process.PID)<<32 | c.id&math.MaxUint32
	return k
}
