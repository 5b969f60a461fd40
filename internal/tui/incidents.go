// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"cmp"
	"slices"
	"time"

	"katrace/internal/conn"
	"katrace/internal/incident"
)

// lookOut has the Watch look for incidents if it is time to. now is the clock as it
// is: Store.clock stands still after the wall clock was set back. The Store is locked.
func (s *Store) lookOut(now nanos) {
	if at := time.Unix(0, now); s.watch.Due(at) {
		s.watch.Look(at, s.well)
	}
}

// well yields the connections that do not fail.
func (s *Store) well(yield func(*conn.State) bool) {
	var state conn.State // of one after another
	for _, c := range s.conns {
		if c.failure != nil || c.ended {
			continue
		}
		if state = c.state(); !yield(&state) {
			return
		}
	}
}

// shownFor is for how long an incident that is over is said.
const shownFor = 10 * time.Minute

// recent appends the incidents that last, and those that ended not long ago: those
// that last first, and of these the largest.
func (s *Store) recent(dst []incident.Incident, now time.Time) []incident.Incident {
	if s.watch.None() {
		return dst
	}
	for _, i := range s.watch.All() {
		if i.Lasts() || now.Sub(i.Until) < shownFor {
			dst = append(dst, i)
		}
	}
	slices.SortStableFunc(dst, func(a, b incident.Incident) int {
		switch {
		case a.Lasts() == b.Lasts():
			return cmp.Compare(b.Affected, a.Affected)
		case a.Lasts():
			return -1
		}
		return 1
	})
	return dst
}

// incidentLine says the worst incident, and how many others there are.
func (m *model) incidentLine() string {
	t := m.theme
	worst := &m.snap.incidents[0]
	more := ""
	if n := len(m.snap.incidents) - 1; n > 0 {
		more = " (and " + thousands(n) + " more)"
	}
	style := t.alarm
	if !worst.Lasts() {
		style = t.badge
	}
	room := m.width - 1 - cells(more)
	said := worst.Sentence(m.snap.At)
	for _, shorter := range []func(time.Time) string{worst.Headline, worst.Brief} {
		if cells(said) > room {
			said = shorter(m.snap.At)
		}
	}
	return style.Render(t.fit(" "+t.cut(sanitize(said, t.ascii), room)+more, m.width))
}
