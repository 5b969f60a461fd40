// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"strings"
)

// table is the pane of the connections.
type table struct {
	top    int             // index of the first row on the screen
	sel    *entry          // the selected connection; nil: none
	selAt  int             // its index in the order, or where it was
	wants  [numColumns]int // widest contents seen, per flexible column
	twins  bool            // rows with the same remote end were seen
	netns  uint32          // of the first row seen
	mixed  bool            // rows of several network namespaces were seen
	host   string          // of the first row seen
	hosts  bool            // rows of several hosts were seen
	width  int             // for which wants and twins hold
	placed []placed[Column]
	buffer []facts
}

// follow finds the selected connection in a new order. If it is gone, and the
// caller does not want to keep it, its successor is selected.
func (t *table) follow(order []*entry, keepGone bool) {
	if t.sel == nil || t.selAt < len(order) && order[t.selAt] == t.sel {
		return
	}
	if at := slices.Index(order, t.sel); at >= 0 {
		t.selAt = at
	} else if !keepGone {
		t.pick(order, t.selAt)
	}
}

// pick selects by index; one out of range is the nearest.
func (t *table) pick(order []*entry, i int) {
	if len(order) == 0 {
		t.sel, t.selAt = nil, 0
		return
	}
	t.selAt = min(max(i, 0), len(order)-1)
	t.sel = order[t.selAt]
}

// scroll moves the window so that the selected row is in it.
func (t *table) scroll(n, height int) {
	if t.sel != nil {
		t.top = max(min(t.top, t.selAt), t.selAt-height+1)
	}
	t.top = max(0, min(t.top, n-height))
}

// layout places the columns for what is in the rows.
func (t *table) layout(th *theme, width int, rows []facts) {
	if width != t.width {
		t.wants, t.twins, t.netns, t.mixed, t.width = [numColumns]int{}, false, 0, false, width
		t.host, t.hosts = "", false
	}
	for i := range rows {
		f := &rows[i]
		if t.netns == 0 {
			t.netns, t.host = f.Netns, f.Host
		}
		t.mixed = t.mixed || f.Netns != t.netns
		t.hosts = t.hosts || f.Host != t.host
		for col := range numColumns {
			if want := columnSpecs[col].want; want != nil {
				t.wants[col] = max(t.wants[col], want(th, f))
			}
		}
		for j := range i {
			t.twins = t.twins || rows[j].Remote == f.Remote
		}
	}
	wants := t.wants
	if !t.mixed {
		wants[ColNetns] = 0
	}
	if !t.hosts {
		wants[ColHost] = 0
	}
	t.placed = place(width, wants, t.twins)
}

// has tells whether the column is on the screen.
func (t *table) has(col Column) bool {
	return slices.ContainsFunc(t.placed, func(p placed[Column]) bool { return p.col == col })
}

// row draws one connection.
func (t *table) row(th *theme, f *facts, width int, now nanos, selected bool) string {
	var l line
	cl := f.class()
	c := cell{
		line: &l, theme: th, f: f, cl: cl, now: now,
		own: th.class[cl].on(selected), dim: th.dim.on(selected), text: th.text.on(selected), spark: th.spark.on(selected),
	}
	if f.overdue(now) {
		c.own, c.text = c.dim, c.dim
	}
	if selected {
		l.add(c.own, th.glyph.cursor)
	} else {
		l.add(c.text, " ")
	}
	for _, p := range t.placed {
		l.pad(c.text, p.x)
		c.w = p.w
		columnSpecs[p.col].draw(&c)
	}
	l.pad(c.text, width)
	return l.String()
}

// line is a line of the screen as it is put together.
type line struct {
	b strings.Builder
	w int
}

func (l *line) add(s ink, text string) {
	if text == "" {
		return
	}
	l.w += cells(text)
	l.b.WriteString(s.Render(text))
}

// pad adds spaces up to column x.
func (l *line) pad(s ink, x int) {
	if n := x - l.w; n > 0 {
		l.add(s, strings.Repeat(" ", n))
	}
}

func (l *line) String() string { return l.b.String() }
