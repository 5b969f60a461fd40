// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"slices"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// dropped: each kind of segment that this host drops is told of once in a
// silence, and none that it does not drop. A peer on lo that was silenced drops
// the probes by its socket's filter, on this host.
func (r *review) dropped() {
	want := r.c.Expect.Dropped
	silenced := Dropped{Direction: events.DirectionOut, Reasons: []string{"SOCKET_FILTER"}}
	told := make([]int, len(want))
	bySilence := 0
	for _, e := range r.kinds[events.KindDropped] {
		fits := func(d Dropped) bool { return r.fits(e.Drop, d) }
		switch i := slices.IndexFunc(want, fits); {
		case i >= 0:
			told[i]++
		case r.o.Silenced && fits(silenced):
			bySilence++
		case e.Drop.Reason == "CPU_BACKLOG": // the machine's, which other programs' packets may fill
		default:
			r.no("dropped event says %s %s in %s", e.Drop.Direction, e.Drop.Reason, e.Drop.Where)
		}
		if e.Drop.Text == "" || e.Drop.Where == "" {
			r.no("dropped event does not say what dropped the segment, or where")
		}
	}
	for i, n := range told {
		d := want[i]
		if known := (r.can.DropReasons || d.Here) && (r.can.SendErrors || !d.Refused); known && n != 1 {
			r.no("%s about segments dropped by %s", conn.Count(n, "dropped event"), d.Reasons[0])
		}
	}
	if silences := 1 + r.o.Captured.Answers(); bySilence > silences {
		r.no("%s about segments that the peer dropped, it was silent %d times at the most", conn.Count(bySilence, "dropped event"), silences)
	}
}

func (r *review) fits(told events.Drop, d Dropped) bool {
	return told.Direction == d.Direction && (slices.Contains(d.Reasons, told.Reason) || told.Reason == "" && !r.can.DropReasons && d.Here)
}
