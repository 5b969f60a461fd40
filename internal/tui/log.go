// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/events"
)

// logPane shows the latest events as lines. It has its own copy of them, so
// that it can be scrolled while the view is frozen.
type logPane struct {
	size    int
	entries []logEntry
	last    uint64 // number of the newest entry
	total   uint64 // events of the stream so far
	bottom  uint64 // number of the last entry shown; 0: follow

	// What the entries are drawn as, for this newest entry and filter.
	lines   []logLine
	linesOf struct {
		last   uint64
		filter *filter
	}
}

// take adds the new entries of a snapshot.
func (p *logPane) take(news []logEntry, total uint64) {
	p.total = total
	if len(news) == 0 {
		return
	}
	p.last = news[len(news)-1].seq
	if over := len(p.entries) + len(news) - p.size; over > 0 {
		over = min(over, len(p.entries))
		n := copy(p.entries, p.entries[over:])
		p.entries = p.entries[:n]
	}
	p.entries = append(p.entries, news[max(0, len(news)-p.size):]...)
}

// scroll moves the window by n entries; towards the end it follows again.
func (p *logPane) scroll(m *model, n int) {
	shown := p.matching(m)
	if len(shown) == 0 {
		return
	}
	at := p.index(shown) + n
	if at >= len(shown)-1 {
		p.bottom = 0
		return
	}
	p.bottom = p.entries[shown[max(0, at)].entry].seq
}

// index is the place in shown of the last entry on the screen.
func (p *logPane) index(shown []logLine) int {
	if p.bottom == 0 {
		return len(shown) - 1
	}
	for i, l := range shown {
		if p.entries[l.entry].seq >= p.bottom {
			return i
		}
	}
	return len(shown) - 1
}

// clamp keeps a pane that is scrolled back from leaving room above its oldest line.
func (p *logPane) clamp(m *model, height int) {
	if p.bottom == 0 {
		return
	}
	shown := p.matching(m)
	if least := height - 2; p.index(shown) < least {
		if least >= len(shown)-1 {
			p.bottom = 0
			return
		}
		p.bottom = p.entries[shown[least].entry].seq
	}
}

// matching is the lines of the entries that the filter lets through.
func (p *logPane) matching(m *model) []logLine {
	if p.linesOf.last == p.last && p.linesOf.filter == m.query.filter && len(p.lines) > 0 {
		return p.lines
	}
	shown := make([]int, 0, len(p.entries))
	for i := range p.entries {
		if m.query.filter != nil && !m.query.filter.matchLine(p.text(m, &p.entries[i])) {
			continue
		}
		shown = append(shown, i)
	}
	p.lines = fold(p.entries, shown)
	p.linesOf.last, p.linesOf.filter = p.last, m.query.filter
	return p.lines
}

// text is what a filter looks at: the haystack of the connection and the event
// in words, in lower case.
func (p *logPane) text(m *model, e *logEntry) []byte {
	if e.text == nil {
		ev := &e.event
		e.text = ev.AppendHaystack(nil, "", m.opt.NetnsName)
		words := ev.Kind.String() + " " + ev.Verdict.String() + " " + string(events.AppendWords(nil, ev))
		e.text = append(append(e.text, ' '), strings.ToLower(words)...)
	}
	return e.text
}

// render draws the pane: a title, then the lines.
func (p *logPane) render(m *model, width, height int) []string {
	if height <= 0 {
		return nil
	}
	t := m.theme
	shown := p.matching(m)
	at := p.index(shown)
	lines := make([]string, 0, height)
	// From the newest upwards, with a word where entries are missing.
	if p.bottom == 0 && p.total > p.last {
		lines = append(lines, p.gap(t, p.total-p.last, width))
	}
	for i := at; i >= 0 && len(lines) < height-1; i-- {
		lines = append(lines, p.line(m, &shown[i], width))
		if missing := shown[i].missing; missing > 0 && len(lines) < height-1 {
			lines = append(lines, p.gap(t, missing, width))
		}
	}
	out := append(make([]string, 0, height), p.title(m, len(shown)-1-at, width))
	for i := len(lines) - 1; i >= 0 && len(out) < height; i-- {
		out = append(out, lines[i])
	}
	return fill(out, height)
}

func (p *logPane) title(m *model, below, width int) string {
	state := "following"
	switch {
	case !m.frozen.IsZero():
		state = "frozen"
	case p.bottom != 0:
		state = count(below, "line") + " below, G follows"
	}
	if m.query.filter != nil {
		state += ", filtered"
	}
	return m.theme.ruleTitle("log"+m.theme.glyph.sep+"UTC", state, width)
}

func (p *logPane) gap(t *theme, n uint64, width int) string {
	return t.dim.Render(t.cut(" "+t.glyph.ellipsis+" "+count(n, "event")+" not shown", width))
}

// line draws one line, in columns that fit.
func (p *logPane) line(m *model, shown *logLine, width int) string {
	t := m.theme
	ev := &p.entries[shown.entry].event
	style := t.text
	switch ev.Kind {
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		style = t.class[classTimedOut]
	case events.KindDropped:
		style = t.class[classUnreachable]
	case events.KindLost, events.KindSuppressed:
		style = t.alarm
	case events.KindTimer, events.KindWindowProbe, events.KindClosed, events.KindStart, events.KindHeartbeat, events.KindStop:
		style = t.dim
	case events.KindProbe, events.KindAnswer, events.KindICMP, events.KindProbed, events.KindEnabled, events.KindSuspended, events.KindResumed, events.KindSet:
	}
	words, who := string(events.AppendWords(nil, ev)), string(ev.AppendOwner(nil))
	remote := t.fitAddr(addrWords(ev.Remote), 21)
	if shown.answers > 1 {
		words = shown.words()
	}
	if shown.peers > 1 {
		remote, who = t.fit(count(shown.peers, "peer"), 21), ""
	}
	var l line
	signInk, sign := t.eventSign(ev)
	l.add(t.dim, " "+ev.Time.UTC().Format("15:04:05.000")+" ")
	l.add(signInk, sign)
	l.add(t.text, " ")
	if width >= 100 { // the words say it too
		l.add(style, t.fit(ev.Kind.String(), 12)+" ")
	}
	if m.table.hosts {
		l.add(t.dim, t.fit(sanitize(ev.Host, t.ascii), 8)+" ")
	}
	if !ev.Kind.OfTracing() {
		if width >= 140 {
			local := addrWords(ev.Local) + " " + t.glyph.arrow
			if shown.peers > 1 {
				local = ""
			}
			l.add(t.dim, t.fitRight(local, 23)+" ")
		}
		l.add(t.text, remote+" ")
		if width >= 100 {
			l.add(t.text, t.fit(sanitize(who, t.ascii), 18)+" ")
		}
	}
	if l.w >= width {
		return ansi.Truncate(l.String(), width, t.glyph.ellipsis)
	}
	l.add(style, t.cut(sanitize(words, t.ascii), width-l.w))
	return l.String()
}

// words say what many answers have in common: "14 probes answered, round trips
// 110us to 260us".
func (l *logLine) words() string {
	s := count(l.answers, "probe") + " answered"
	switch low, high := roundTrip(l.low, l.exact), roundTrip(l.high, l.exact); {
	case l.rtts == 0:
	case low == high:
		s += ", round trips " + low
	default:
		s += ", round trips " + low + " to " + high
	}
	return s
}

// ruleTitle draws the line above a pane: its name and its state in a rule.
func (t *theme) ruleTitle(name, state string, width int) string {
	var l line
	l.add(t.dim, t.glyph.rule+t.glyph.rule+" ")
	l.add(t.title, name)
	if state != "" {
		l.add(t.dim, t.glyph.sep+state)
	}
	l.add(t.dim, " ")
	if n := width - l.w; n > 0 {
		l.add(t.dim, strings.Repeat(t.glyph.rule, n))
	}
	return ansi.Truncate(l.String(), width, "")
}
