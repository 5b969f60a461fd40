// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"slices"
	"time"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// Group is sockets that have something in common.
type Group struct {
	ID    group.ID
	Names group.Names

	PID        int // of the process that holds all of them; 0: several do, or it is not known
	Sockets    int
	On, Off    int        // connections with keepalive on, and off; of the others it is not known
	Unanswered int        // those whose peer has not answered a keepalive probe
	Silent     int        // of these, those whose peer has left two or more unanswered
	Suspended  int        // those in which keepalive has no say: see Stalled
	Settings   []Distinct // of those that have keepalive on, the most frequent first

	deaths [2]time.Duration // the soonest DiesIn: of those in no trouble, and of the others; negative: none
}

// Distinct are settings, and how many sockets have them.
type Distinct struct {
	conn.Settings
	Sockets int
}

// Worst is the name of the order in which groups are shown unless another one is
// asked for.
const Worst = "worst"

// GroupOrders lists what groups by these keys can be sorted by.
func GroupOrders(keys group.Keys) []string {
	return append([]string{Worst}, ordersOf(groupColumns(keys))...)
}

// GroupColumnsHelp explains the columns of a group's row, by whatever keys.
func GroupColumnsHelp() string { return helpOf(groupColumns(group.AllKeys())) }

// Groups makes groups of the sockets, and orders them by one of GroupOrders. The
// list was made with Options.Ports.
func (l *List) Groups(keys group.Keys, by string) *Rows[Group] {
	r := &Rows[Group]{
		list: l, rows: l.grouped(keys), columns: groupColumns(keys),
		json: func(dst []byte, g *Group) []byte { return g.appendJSON(dst, l.Time, keys) },
	}
	r.count = conn.Count(len(r.rows), "group") + " of " + conn.Count(len(l.Sockets), "socket")
	sortRows(r.rows, r.columns, by, worse)
	return r
}

// grouped goes through the sockets once, and holds what it needs of each group and
// of each of its settings.
func (l *List) grouped(keys group.Keys) (groups []*Group) {
	type setting struct {
		of       *Group
		settings conn.Settings
	}
	byID, place := map[group.ID]*Group{}, map[setting]int{}
	for i := range l.Sockets {
		s := &l.Sockets[i]
		id := keys.Of(&s.State, l.Ports)
		if keys.Has(group.Settings) {
			id.On, id.Settings = s.switched()
		}
		g := byID[id]
		if g == nil {
			g = &Group{ID: id, PID: s.Process.PID, deaths: [2]time.Duration{-1, -1}}
			byID[id], groups = g, append(groups, g)
		}
		g.Names.Take(keys, &s.State)
		g.add(s)
		if on, settings := s.switched(); on == group.SwitchedOn && s.Has&conn.HasKeepalive != 0 {
			at := setting{g, settings}
			n, known := place[at]
			if !known {
				n, place[at] = len(g.Settings), len(g.Settings)
				g.Settings = append(g.Settings, Distinct{Settings: settings})
			}
			g.Settings[n].Sockets++
		}
	}
	for _, g := range groups {
		slices.SortFunc(g.Settings, func(a, b Distinct) int {
			return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), a.Compare(&b.Settings))
		})
	}
	return groups
}

// switched is whether keepalive is on, and with which settings; zero where that
// is not known.
func (s *Socket) switched() (on group.Switch, settings conn.Settings) {
	switch {
	case s.Has&HasOn == 0:
	case !s.On:
		on = group.SwitchedOff
	case s.Has&conn.HasKeepalive == 0:
		on = group.SwitchedOn
	default:
		on, settings = group.SwitchedOn, s.Keepalive.Values()
	}
	return on, settings
}

func (g *Group) add(s *Socket) {
	if g.PID != s.Process.PID {
		g.PID = 0
	}
	g.Sockets++
	switch on, _ := s.switched(); on {
	case group.SwitchedOff:
		g.Off++
	case group.SwitchedOn:
		g.On++
	}
	which := 0
	if s.unanswered() {
		g.Unanswered++
		which = 1
	}
	if s.Stalled() {
		g.Suspended++
		which = 1
	}
	if s.Silent {
		g.Silent++
	}
	if d := &g.deaths[which]; s.Has&conn.HasDiesIn != 0 && (*d < 0 || s.DiesIn < *d) {
		*d = s.DiesIn
	}
}

// NextDeath is when the kernel gives up the first of those that are unanswered
// or suspended. Where it gives up none of these: the first of all, if the peers
// are silent from now on. False: it gives up none, or that is not known.
func (g *Group) NextDeath() (time.Duration, bool) {
	d := g.deaths[1]
	if d < 0 {
		d = g.deaths[0]
	}
	return d, d >= 0
}

// worse orders groups: those with most connections that are silent or suspended
// first, then with most that are unanswered, of these the one that loses a
// connection next, then the largest.
func worse(a, b *Group) int {
	if c := cmp.Or(cmp.Compare(b.Silent+b.Suspended, a.Silent+a.Suspended), cmp.Compare(b.Unanswered, a.Unanswered)); c != 0 {
		return c
	}
	if a.Unanswered+a.Suspended > 0 {
		if c := sooner(a, b); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), a.ID.Compare(&b.ID))
}

var sooner = byTime((*Group).NextDeath)
