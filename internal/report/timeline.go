// SPDX-License-Identifier: BSD-2-Clause

package report

import "math"

// bins is how many parts the time line has at the most, and half as many at the
// least once it is longer than that many seconds.
const bins = 240

// maxLanes bounds the lanes: 2 KiB each.
const maxLanes = 512

// timeline counts over time what happened, in a fixed amount of memory: when it
// gets too long for its bins, each two become one.
type timeline struct {
	from  int64 // ms since 1970: where the first bin begins
	width int64 // ms
	all   lane
	lanes []*lane
}

// lane is one row of the time line.
type lane struct {
	silent [bins]uint32 // connections that were silent in that time
	died   [bins]uint32
}

// start is for the first event.
func (t *timeline) start(at int64) { t.from, t.width = at, 1000 }

// reach makes room for a time.
func (t *timeline) reach(at int64) {
	for (at-t.from)/t.width >= bins {
		t.width *= 2
		t.all.halve()
		for _, l := range t.lanes {
			l.halve()
		}
	}
}

// halve makes each two bins one. Of those that are silent it keeps the larger
// number: they are the same connections.
func (l *lane) halve() {
	for i := range bins / 2 {
		l.silent[i] = max(l.silent[2*i], l.silent[2*i+1])
		l.died[i] = sum(l.died[2*i], l.died[2*i+1])
	}
	clear(l.silent[bins/2:])
	clear(l.died[bins/2:])
}

func sum(a, b uint32) uint32 { return uint32(min(uint64(a)+uint64(b), math.MaxUint32)) }

// bin is that of a time, which reach has made room for; what was before the
// first event is in the first.
func (t *timeline) bin(at int64) int { return int(min(max(0, at-t.from)/t.width, bins-1)) }

// lane is a new one, nil if there are too many.
func (t *timeline) lane() *lane {
	if len(t.lanes) == maxLanes {
		return nil
	}
	l := new(lane)
	t.lanes = append(t.lanes, l)
	return l
}

// silence adds a silence to the lanes, those that are not nil.
func (t *timeline) silence(since, until int64, lanes ...*lane) {
	for _, l := range append(lanes, &t.all) {
		for i := t.bin(since); l != nil && i <= t.bin(until); i++ {
			l.silent[i] = sum(l.silent[i], 1)
		}
	}
}

// death adds one to the lanes, those that are not nil.
func (t *timeline) death(at int64, lanes ...*lane) {
	for _, l := range append(lanes, &t.all) {
		if l != nil {
			i := t.bin(at)
			l.died[i] = sum(l.died[i], 1)
		}
	}
}
