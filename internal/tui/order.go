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
	sorted []sortKey // of the last round; what moves in this one has no connection any more
	moved  []sortKey
}

// begin starts a round. The connections are then offered by add, all at one moment.
func (s *sorter) begin(col Column) {
	s.column = col
	s.round++
	s.moved = s.moved[:0]
}

// add takes a connection into the round.
func (s *sorter) add(c *entry, late bool) {
	key := s.column.key(c, late)
	if known := s.round > 1 && c.round == s.round-1; !known || s.sorted[c.place].orderKey != key {
		if known {
			s.sorted[c.place].c = nil
		}
		s.moved = append(s.moved, sortKey{key, c})
	}
	c.round = s.round
}

// sift leaves those of the last round that have not moved. It looks at nothing of
// them but what the sorter wrote, so the Store need not be locked.
func (s *sorter) sift() {
	kept := s.sorted[:0]
	for _, k := range s.sorted {
		if k.c != nil && k.c.round == s.round { // else it is not part of it any more
			kept = append(kept, k)
		}
	}
	clear(s.sorted[len(kept):]) // do not hold on to what was dropped
	s.sorted = kept
}

// finish sorts, and appends the connections in their order to dst.
func (s *sorter) finish(dst []*entry, reverse bool) []*entry {
	slices.SortFunc(s.moved, func(a, b sortKey) int { return a.compare(b.orderKey) })
	// From the end, where there is room, so that nothing is moved twice.
	kept, moved := len(s.sorted), len(s.moved)
	s.sorted = slices.Grow(s.sorted, moved)[:kept+moved]
	for at := len(s.sorted) - 1; moved > 0; at-- {
		if kept > 0 && s.sorted[kept-1].compare(s.moved[moved-1].orderKey) > 0 {
			kept--
			s.sorted[at] = s.sorted[kept]
		} else {
			moved--
			s.sorted[at] = s.moved[moved]
		}
	}
	clear(s.moved)
	if cap(s.moved) > len(s.sorted)/4+chunk { // after the first round, or one in another order
		s.moved = nil
	}
	from := len(dst)
	dst = slices.Grow(dst, len(s.sorted))
	for i := range s.sorted {
		s.sorted[i].c.place = uint32(i)
		dst = append(dst, s.sorted[i].c)
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
