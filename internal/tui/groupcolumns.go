// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"cmp"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// groupColumn is a column of the table of groups, and an order of its rows.
type groupColumn uint8

// The columns, from left to right. The first is the default order: worst first.
const (
	groupVerdict groupColumn = iota
	groupName
	groupCount
	groupBar
	groupSince
	groupDeath
	groupFigures
	numGroupColumns
)

// groupSpec is all there is to a column of the groups.
type groupSpec struct {
	title string // "": the grouping's
	help  string // a note of the help page
	least int    // cells
	most  int    // it grows to, where there is room
	rank  int    // a narrow terminal keeps the lower ones
	right bool
	draw  func(*groupCell)
	less  func(t *theme, a, b *groupRow) int
}

var groupSpecs = [numGroupColumns]groupSpec{
	groupVerdict: {
		title: "WORST", least: 13, most: 13, rank: 4,
		draw: func(c *groupCell) {
			cl := c.g.worst()
			c.add(c.class[cl].on(c.selected), c.fit(c.glyph.class[cl]+" "+cl.String(), c.w))
		},
		less: func(_ *theme, a, b *groupRow) int {
			return cmp.Or(cmp.Compare(b.unwell(), a.unwell()), cmp.Compare(a.worst(), b.worst()), cmp.Compare(b.n, a.n))
		},
	},
	groupName: {
		least: 12, most: 60, rank: 1,
		draw: func(c *groupCell) { c.add(c.text, c.fitGroup(c.name, c.w)) },
		less: func(*theme, *groupRow, *groupRow) int { return 0 }, // which decides between equals
	},
	groupCount: {
		title: "CONNS", least: 7, most: 9, rank: 2, right: true,
		draw: func(c *groupCell) { c.add(c.text, c.fitRight(thousands(c.g.n), c.w)) },
		less: func(_ *theme, a, b *groupRow) int { return cmp.Compare(b.n, a.n) },
	},
	groupBar: {
		title: "VERDICTS", least: 8, most: 24, rank: 3,
		help: "Groups (t): the bar is made of the verdicts' signs, each as wide as its share, and none is left out. SINCE: when the first of those that are not well was last heard; GIVES UP: the next of them that the kernel gives up. Worst first: by how many are not well.",
		draw: drawGroupBar,
		less: func(_ *theme, a, b *groupRow) int { // the largest share first
			return cmp.Compare(b.unwell()*max(a.n, 1), a.unwell()*max(b.n, 1))
		},
	},
	groupSince: {
		title: "SINCE", least: 9, most: 9, rank: 5, right: true,
		draw: func(c *groupCell) {
			since := "-"
			if c.g.since != 0 {
				since = sinceWords(c.g.since, c.now)
			}
			c.add(c.dim, c.fitRight(since, c.w))
		},
		less: func(_ *theme, a, b *groupRow) int { return cmp.Compare(noneLast(a.since), noneLast(b.since)) },
	},
	groupDeath: {
		title: "GIVES UP", least: 8, most: 10, rank: 6, right: true,
		draw: func(c *groupCell) {
			dies := "-"
			if c.g.dies != 0 {
				if dies = "now"; c.g.dies > c.now {
					dies = short(time.Duration(c.g.dies - c.now))
				}
			}
			c.add(c.text, c.fitRight(dies, c.w))
		},
		less: func(_ *theme, a, b *groupRow) int { return cmp.Compare(noneLast(a.dies), noneLast(b.dies)) },
	},
	groupFigures: {
		title: "HOW MANY", least: 18, most: 60, rank: 7,
		draw: func(c *groupCell) { c.add(c.dim, c.fit(c.figures(c.g), c.w)) },
		less: func(_ *theme, a, b *groupRow) int { return cmp.Compare(b.n, a.n) },
	},
}

// noneLast orders times, those that are not known last.
func noneLast(at nanos) nanos {
	if at == 0 {
		return math.MaxInt64
	}
	return at
}

// sinceWords is a time of day, with the date's day where that is another one.
func sinceWords(at, now nanos) string {
	t := time.Unix(0, at).UTC()
	if t.YearDay() != time.Unix(0, now).UTC().YearDay() {
		return t.Format("02 15:04Z")
	}
	return t.Format("15:04:05Z")
}

// groupCell is where a group's cell of a column is drawn.
type groupCell struct {
	*line
	*theme
	g         *groupRow
	name      string
	w         int // cells
	now       nanos
	selected  bool
	text, dim ink
}

// drawGroupBar draws the connections by class, each class as long as its share,
// and at least a cell.
func drawGroupBar(c *groupCell) {
	for cl, n := range barCells(&c.g.counts, c.g.n, c.w) {
		c.add(c.class[cl].on(c.selected), strings.Repeat(c.glyph.class[cl], n))
	}
}

// barCells shares the cells of a bar among the classes, the worst first. Each class
// that there is has one, as long as there are cells; no two share one.
func barCells(counts *[numClasses]int, all, width int) (cells [numClasses]int) {
	left, classes := width, 0
	for _, n := range counts {
		if n > 0 {
			classes++
		}
	}
	for c, n := range counts {
		if n == 0 {
			continue
		}
		classes--
		share := int(math.Round(float64(n) / float64(max(all, 1)) * float64(width)))
		if classes == 0 {
			share = left
		}
		cells[c] = max(min(share, left-classes), min(1, left))
		left -= cells[c]
	}
	return cells
}

// figures are the connections by class in figures: "12 silent, 40 alive".
func (t *theme) figures(g *groupRow) string {
	var parts []string
	for c := range numClasses {
		if g.counts[c] > 0 {
			parts = append(parts, t.glyph.class[c]+" "+thousands(g.counts[c])+" "+c.String())
		}
	}
	return strings.Join(parts, "  ")
}

// groupName is what the connections of a group have in common, in words.
func (t *theme) groupName(by grouping, id *group.ID) string {
	switch by {
	case byService:
		port := uint64(id.Service.Number)
		switch {
		case !id.Remote.IsValid():
			return "-"
		case id.Service.Here: // the peer is a client
			return id.Remote.String() + " " + t.glyph.arrow + " :" + strconv.FormatUint(port, 10)
		}
		return netip.AddrPortFrom(id.Remote, id.Service.Number).String()
	case byOwner:
		switch {
		case id.Pod != "":
			return "pod " + sanitize(string(id.AppendPod(nil)), t.ascii)
		case id.Container != "":
			return "container " + sanitize(string(id.AppendContainer(nil)), t.ascii)
		case id.Process == "":
			return "not known"
		}
		return sanitize(id.Process, t.ascii)
	case bySettings:
		return settingsName(id)
	case byNetns:
		return t.netns(id.Netns)
	case ungrouped, numGroupings:
	}
	return ""
}

// settingsName is idle/interval/count, as the list has it.
func settingsName(id *group.ID) string {
	if id.On != group.SwitchedOn {
		return "not known"
	}
	name := string(id.Settings.AppendTo(nil))
	if id.Settings.UserTimeout > 0 {
		name += " user " + conn.Exact(id.Settings.UserTimeout)
	}
	return name
}

// fitGroup is fit for a group's name, whose end says more than its middle.
func (t *theme) fitGroup(s string, w int) string {
	return t.fitMiddle(s, w, max(strings.LastIndexByte(s, ':'), strings.LastIndexByte(s, '[')), w/2)
}
