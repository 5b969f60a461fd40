// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"cmp"
	"slices"
	"time"
)

// explained is failures that one moment explains.
type explained struct {
	of       []*Failure
	from, by nanos         // between which the moment lies
	last     nanos         // the latest that one was seen
	idle     time.Duration // the longest idle time
}

// cluster finds the moment that explains the most failures, the earliest of such.
func cluster(all []*Failure) (c explained) {
	type edge struct {
		at    nanos
		opens bool
	}
	edges := make([]edge, 0, 2*len(all))
	for _, f := range all {
		edges = append(edges, edge{f.from, true}, edge{f.by, false})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		case a.opens == b.opens:
			return 0
		case a.opens: // both ends belong to it
			return -1
		}
		return 1
	})
	open, most := 0, 0
	var moment nanos
	for _, e := range edges {
		if !e.opens {
			open--
			continue
		}
		if open++; open > most {
			most, moment = open, e.at
		}
	}
	for _, f := range all {
		if f.from > moment || f.by < moment {
			continue
		}
		if len(c.of) == 0 {
			c.from, c.by = f.from, f.by
		}
		c.from, c.by = max(c.from, f.from), min(c.by, f.by)
		c.last, c.idle = max(c.last, f.by), max(c.idle, f.idle)
		c.of = append(c.of, f)
	}
	return c
}

// tells is how many of the failures tell something of the scope's other connections.
// One of a connection that was not known before does not, except of a single peer
// that falls silent: where only failures are told of, others are not known. Nor
// does one whose moment is hardly known say that it is that of other peers: with an
// idle time of two hours all that vanish in an evening have one in common.
func (c *explained) tells(s Scope) (n int) {
	if s.kind != Resets && s.Level <= Peer {
		return len(c.of)
	}
	for _, f := range c.of {
		if f.before && (s.Level <= Peer || f.by-f.from <= int64(sharp)) {
			n++
		}
	}
	return n
}

// sharp is how well a moment has to be known.
const sharp = 5 * time.Minute
