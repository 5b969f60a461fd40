// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"math"
	"slices"
	"strings"
)

// Column is a column of the table, and an order of its rows.
type Column uint8

// The columns, from left to right. Sorting by the verdict is the default: worst first.
const (
	ColVerdict Column = iota
	ColHost
	ColRemote
	ColLocal
	ColOwner
	ColUnanswered
	ColNext
	ColDeath
	ColRTT
	ColLast
	ColContainer
	ColNetns
	numColumns
)

// localLeast is what the local address needs; below, its port stands alone.
const localLeast = 14

// columnSpec is all there is to a column.
type columnSpec struct {
	title, brief string
	help         string // a note of the help page; "": the title says it
	least        int    // cells below which it is left out
	decent       int    // cells it is given when it is taken in
	most         int
	rank         int  // a narrow terminal keeps the lower ones
	hunger       int  // on a wide terminal the lower ones grow first; 0: it does not grow
	right        bool // aligned to the right
	optional     bool
	// want is how wide what is in it is: it grows so far, and keeps that width.
	// nil: it grows to most. Where optional, a column in which nothing is is left out.
	want func(*theme, *facts) int
	draw func(*cell)
	key  func(c *entry, late bool) orderKey // orders by it; late says that the timer is overdue
}

var columnSpecs = [numColumns]columnSpec{
	ColVerdict: {
		title: "VERDICT", brief: "VERDICT", least: 13, decent: 13, most: 13, rank: 1,
		draw: drawVerdict,
		key: func(c *entry, late bool) (k orderKey) {
			k.hi, k.lo = badness(c, late)
			return k
		},
	},
	ColHost: {
		title: "HOST", brief: "HOST", least: 4, decent: 8, most: 24, rank: 6, hunger: 11, optional: true,
		want: func(t *theme, f *facts) int { return cells(sanitize(f.Host, t.ascii)) },
		draw: func(c *cell) { c.add(c.dim, c.fit(sanitize(c.f.Host, c.ascii), c.w)) },
		key:  func(c *entry, _ bool) orderKey { return textOrder(c.Host, c.id) },
	},
	ColRemote: {
		title: "REMOTE", brief: "REMOTE", least: 9, decent: 14, most: 47, rank: 2, hunger: 1,
		want: func(_ *theme, f *facts) int { return len(addrWords(f.Remote)) },
		draw: drawRemote,
		key:  func(c *entry, _ bool) orderKey { return addrOrder(c.Remote, c.id) },
	},
	ColLocal: {
		title: "LOCAL", brief: "LOCAL", least: localLeast, decent: 16, most: 47, rank: 11, hunger: 3,
		want: func(_ *theme, f *facts) int { return len(addrWords(f.Local)) },
		draw: drawLocal,
		key:  func(c *entry, _ bool) orderKey { return addrOrder(c.Local, c.id) },
	},
	ColOwner: {
		title: "OWNER", brief: "OWNER", least: 8, decent: 12, most: 24, rank: 5, hunger: 2,
		want: func(t *theme, f *facts) int { return cells(t.owner(f)) },
		draw: func(c *cell) { c.add(c.text, c.fitOwner(c.owner(c.f), c.w)) },
		key:  ownerKey,
	},
	ColUnanswered: {
		title: "UNANSWERED", brief: "UNANS", least: 5, decent: 11, most: 17, rank: 4, hunger: 7,
		help: "UNANSWERED: probes without an answer, of those that the kernel allows. \"1 out\": a first probe is on its way, which is no sign of anything. With \"ut\" TCP_USER_TIMEOUT decides: the bar is the time.",
		draw: drawUnanswered,
		key: func(c *entry, _ bool) orderKey { // the fullest first
			share := 0
			if c.Keepalive.Count > 0 {
				share = c.Unanswered * 1000 / c.Keepalive.Count
			}
			return orderKey{hi: math.MaxUint64 - uint64(share), lo: math.MaxUint64 - uint64(c.Unanswered)}
		},
	},
	ColNext: {
		title: "NEXT", brief: "NEXT", least: 7, decent: 7, most: 8, rank: 7, hunger: 8, right: true,
		help: "NEXT and GIVES UP count down between events to what the kernel planned. A peer that answers has no GIVES UP, the detail has one; \"alive 12s\": it was last heard then. \"no news\": the timer should have fired and nothing was heard of it. GIVES UP of a connection that ended is what the application reads. The kernel's timers stand still while the machine sleeps: after a suspend they fire later than shown.",
		draw: drawNext,
		key:  func(c *entry, late bool) orderKey { return orderKey{hi: soonest(c.next, late)} },
	},
	ColDeath: {
		title: "GIVES UP", brief: "DIES", least: 6, decent: 10, most: 12, rank: 3, hunger: 5, right: true,
		draw: drawDeath,
		key:  func(c *entry, late bool) orderKey { return orderKey{hi: soonest(c.dies, late || c.healthy())} }, // as the column shows it
	},
	ColRTT: {
		title: "ROUND TRIPS", brief: "RTT", least: 7, decent: 7, most: 20, rank: 10, hunger: 4,
		help: "ROUND TRIPS: the last 12, each against their median, a level for half as much again. \"~\": known to a jiffy only.",
		draw: drawTrips,
		key: func(c *entry, _ bool) orderKey { // the slowest first
			latest := uint64(0)
			if c.numRTT > 0 {
				latest = uint64(c.rtts[c.numRTT-1])
			}
			return orderKey{hi: math.MaxUint64 - latest}
		},
	},
	ColLast: {
		title: "LAST EVENT", brief: "LAST", least: 11, decent: 14, most: 18, rank: 8, hunger: 6,
		draw: func(c *cell) { c.add(c.dim, c.fit(lastEvent(c.f, c.now), c.w)) },
		key:  func(c *entry, _ bool) orderKey { return orderKey{hi: math.MaxUint64 - uint64(c.last)} }, // those without an event last
	},
	ColContainer: {
		title: "CONTAINER", brief: "CONTAINER", least: 12, decent: 12, most: 40, rank: 9, hunger: 9, optional: true,
		want: func(t *theme, f *facts) int { return cells(t.container(f)) },
		draw: func(c *cell) { c.add(c.dim, c.fit(c.containerIn(c.f, c.w), c.w)) },
		key:  func(c *entry, _ bool) orderKey { return textOrder(c.Container, c.id) },
	},
	ColNetns: {
		title: "NETNS", brief: "NETNS", least: 10, decent: 10, most: 24, rank: 12, hunger: 10, optional: true,
		help: "CONTAINER is there where a row has one, NETNS where rows are of several network namespaces (its name of ip netns, or its number), HOST where they are of several hosts.",
		want: func(t *theme, f *facts) int { return cells(t.netns(f.Netns)) },
		draw: func(c *cell) { c.add(c.dim, c.fit(c.netns(c.f.Netns), c.w)) },
		key:  func(c *entry, _ bool) orderKey { return orderKey{hi: uint64(c.Netns)} },
	},
}

// Which columns a narrow terminal keeps, and which grow first on a wide one.
var byRank, byHunger = sortColumns(func(s *columnSpec) int { return s.rank }), sortColumns(func(s *columnSpec) int { return s.hunger })

// sortColumns lists the columns whose number is not 0, in its order.
func sortColumns(number func(*columnSpec) int) (cols []Column) {
	for col := range numColumns {
		if number(&columnSpecs[col]) > 0 {
			cols = append(cols, col)
		}
	}
	slices.SortFunc(cols, func(a, b Column) int { return number(&columnSpecs[a]) - number(&columnSpecs[b]) })
	return cols
}

// helpOfColumns are the notes that the columns need.
func helpOfColumns() (notes []string) {
	for col := range numColumns {
		if help := columnSpecs[col].help; help != "" {
			notes = append(notes, help)
		}
	}
	for col := range numGroupColumns {
		if help := groupSpecs[col].help; help != "" {
			notes = append(notes, help)
		}
	}
	return notes
}

// cell is where a connection's cell of a column is drawn.
type cell struct {
	*line
	*theme
	f              *facts
	cl             class
	w              int // cells
	now            nanos
	own, dim, text ink // the verdict's colour, and those of the row
	spark          ink
}

func drawVerdict(c *cell) {
	sign := c.glyph.class[c.cl]
	if c.w == 1 {
		c.add(c.own, sign)
		return
	}
	word := sign + " " + c.cl.String()
	c.add(c.own, word)
	c.add(c.dim, c.fit(lastHeard(c.f, c.now), max(0, c.w-cells(word))))
}

func drawRemote(c *cell) {
	s := c.text
	if c.cl.ended() || c.cl.failing() {
		s = s.Bold()
	}
	c.add(s, c.fitAddr(addrWords(c.f.Remote), c.w))
}

func drawLocal(c *cell) {
	s := addrWords(c.f.Local)
	if c.w < localLeast && c.f.Local.IsValid() { // the port alone
		s = s[strings.LastIndexByte(s, ':'):]
	}
	c.add(c.dim, c.fitAddr(s, c.w))
}

func drawUnanswered(c *cell) {
	_, _, figure := c.gauge(c.f, c.now, 0)
	if c.f.probeOut() {
		figure = "1 out"
	}
	room, w, text := 0, c.w, c.text
	if w >= 10 {
		room = max(0, w-1-max(5, cells(figure))) // hundreds of probes take from the bar
	}
	full, empty, _ := c.gauge(c.f, c.now, room)
	if c.f.Unanswered == 0 && !c.f.uncounted() || c.f.probeOut() { // no bar: what has one stands out
		text = c.dim
		full, empty = "", strings.Repeat(" ", room)
	}
	if room > 0 && full+empty != "" {
		c.add(c.own, full)
		c.add(c.dim, empty+" ")
		w -= room + 1
	}
	c.add(text, c.fit(figure, w))
}

func drawNext(c *cell) {
	s := c.text
	if !c.cl.failing() {
		s = c.dim
	}
	c.add(s, c.fitRight(countdown(c.f, c.f.next, c.now), c.w))
}

// drawDeath draws the countdown to the giving up, and of what has ended the
// error that the application reads.
func drawDeath(c *cell) {
	switch f := c.f; {
	case f.ended && f.errno != "":
		c.add(c.own, c.fitRight(sanitize(f.errno, c.ascii), c.w))
	case f.healthy():
		c.add(c.dim, c.fitRight("-", c.w))
	case c.cl.failing():
		c.add(c.own, c.fitRight(countdown(f, f.dies, c.now), c.w))
	default:
		c.add(c.dim, c.fitRight(countdown(f, f.dies, c.now), c.w))
	}
}

// drawTrips draws the sparkline and the latest round trip.
func drawTrips(c *cell) {
	f, figure, w := c.f, "", c.w
	if f.numRTT > 0 {
		figure = roundTrip(f.latestRTT(), f.rttExact)
	}
	if room := min(w-8, sparkLen); room > 2 {
		c.add(c.spark, c.fit(c.sparkline(f, room), room))
		c.add(c.dim, " ")
		w -= room + 1
	}
	c.add(c.dim, c.fitRight(figure, w))
}
