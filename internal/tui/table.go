// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"strings"
	"time"
)

// table is the pane of the connections.
type table struct {
	top    int             // index of the first row on the screen
	sel    *conn           // the selected connection; nil: none
	selAt  int             // its index in the order, or where it was
	wants  [numColumns]int // widest contents seen, per flexible column
	twins  bool            // rows with the same remote end were seen
	width  int             // for which wants and twins hold
	placed []placed
	buffer []facts
}

// follow finds the selected connection in a new order. If it is gone, and the
// caller does not want to keep it, its successor is selected.
func (t *table) follow(order []*conn, keepGone bool) (found bool) {
	if t.sel == nil {
		return false
	}
	if t.selAt < len(order) && order[t.selAt] == t.sel {
		return true
	}
	for i, c := range order {
		if c == t.sel {
			t.selAt = i
			return true
		}
	}
	if keepGone {
		return false
	}
	t.pick(order, t.selAt)
	return false
}

// pick selects by index; one out of range is the nearest.
func (t *table) pick(order []*conn, i int) {
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
		t.wants, t.twins, t.width = [numColumns]int{}, false, width
	}
	for i := range rows {
		f := &rows[i]
		t.wants[ColRemote] = max(t.wants[ColRemote], len(f.conn.Remote.String()))
		t.wants[ColLocal] = max(t.wants[ColLocal], len(f.conn.Local.String()))
		t.wants[ColOwner] = max(t.wants[ColOwner], cells(th.owner(f)))
		for j := range i {
			t.twins = t.twins || rows[j].conn.Remote == f.conn.Remote
		}
	}
	t.placed = place(width, t.wants, t.twins)
}

// has tells whether the column is on the screen.
func (t *table) has(col Column) bool {
	return slices.ContainsFunc(t.placed, func(p placed) bool { return p.col == col })
}

// titles draws the line of the columns' names, with the order marked.
func (t *table) titles(th *theme, width int, sort Column, reverse bool) string {
	var l line
	l.add(th.barTitle, " ")
	for _, p := range t.placed {
		l.pad(th.barTitle, p.x)
		title, style := p.title, th.barTitle
		if p.col == sort && p.w > 1 {
			mark := th.glyph.down
			if reverse {
				mark = th.glyph.up
			}
			if th.ascii && len(title)+2 <= p.w {
				mark = " " + mark
			}
			title, style = title+mark, th.barSort
		}
		if columnSpecs[p.col].right {
			title = th.fitRight(title, p.w)
		} else {
			title = th.fit(title, p.w)
		}
		l.add(style, title)
	}
	l.pad(th.barTitle, width)
	return l.String()
}

// row draws one connection.
func (t *table) row(th *theme, f *facts, width int, now nanos, selected bool) string {
	var l line
	cl := f.class()
	late := f.overdue(now)
	text, dim, own := th.text.on(selected), th.dim.on(selected), th.class[cl].on(selected)
	if late {
		own, text = dim, dim
	}
	if selected {
		l.add(own, th.glyph.cursor)
	} else {
		l.add(text, " ")
	}
	for _, p := range t.placed {
		l.pad(text, p.x)
		switch p.col {
		case ColVerdict:
			sign := th.glyph.class[cl]
			if p.w == 1 {
				l.add(own, sign)
				break
			}
			word := sign + " " + cl.String()
			l.add(own, word)
			l.add(dim, th.fit(lastHeard(f, now), max(0, p.w-cells(word))))
		case ColRemote:
			s := text
			if cl.ended() || cl.failing() {
				s = s.Bold()
			}
			l.add(s, th.fitAddr(f.conn.Remote.String(), p.w))
		case ColLocal:
			s := f.conn.Local.String()
			if p.w < columnSpecs[ColLocal].least { // the port alone
				s = s[strings.LastIndexByte(s, ':'):]
			}
			l.add(dim, th.fitAddr(s, p.w))
		case ColOwner:
			l.add(text, th.fitOwner(th.owner(f), p.w))
		case ColUnanswered:
			t.gauge(&l, th, f, p.w, now, own, dim, text)
		case ColNext:
			s := text
			if !cl.failing() {
				s = dim
			}
			l.add(s, th.fitRight(countdown(f, f.next, now), p.w))
		case ColDeath:
			t.death(&l, th, f, p.w, now, own, dim)
		case ColRTT:
			t.trips(&l, th, f, p.w, th.spark.on(selected), dim)
		case ColLast:
			l.add(dim, th.fit(lastEvent(f, now), p.w))
		}
	}
	l.pad(text, width)
	return l.String()
}

func (t *table) gauge(l *line, th *theme, f *facts, w int, now nanos, own, dim, text ink) {
	_, _, figure := th.gauge(f, now, 0)
	if f.probeOut() {
		figure = "1 out"
	}
	room := 0
	if w >= 10 {
		room = max(0, w-1-max(5, cells(figure))) // hundreds of probes take from the bar
	}
	full, empty, _ := th.gauge(f, now, room)
	if f.unanswered == 0 && !f.uncounted() || f.probeOut() { // no bar: what has one stands out
		text = dim
		full, empty = "", strings.Repeat(" ", room)
	}
	if room > 0 && full+empty != "" {
		l.add(own, full)
		l.add(dim, empty+" ")
		w -= room + 1
	}
	l.add(text, th.fit(figure, w))
}

// death draws the countdown to the giving up, and of what has ended the error
// that the application reads.
func (t *table) death(l *line, th *theme, f *facts, w int, now nanos, own, dim ink) {
	cl := f.class()
	switch {
	case f.ended && f.errno != "":
		l.add(own, th.fitRight(sanitize(f.errno, th.ascii), w))
	case f.healthy():
		l.add(dim, th.fitRight("-", w))
	case cl.failing():
		l.add(own, th.fitRight(countdown(f, f.dies, now), w))
	default:
		l.add(dim, th.fitRight(countdown(f, f.dies, now), w))
	}
}

// trips draws the sparkline and the latest round trip.
func (t *table) trips(l *line, th *theme, f *facts, w int, spark, dim ink) {
	figure := ""
	if f.numRTT > 0 {
		d := time.Duration(f.rtts[f.numRTT-1]) * time.Microsecond
		figure = roundTrip(d, f.rttExact)
	}
	if room := min(w-8, sparkLen); room > 2 {
		l.add(spark, th.fit(th.sparkline(f, room), room))
		l.add(dim, " ")
		w -= room + 1
	}
	l.add(dim, th.fitRight(figure, w))
}

// hit tells the column at cell x, for a click on the titles.
func (t *table) hit(x int) (Column, bool) {
	for i, p := range t.placed {
		if x >= p.x && (i+1 == len(t.placed) || x < t.placed[i+1].x) {
			return p.col, true
		}
	}
	return 0, false
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
