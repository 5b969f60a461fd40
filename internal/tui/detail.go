// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/advice"
	"katrace/internal/conn"
)

// detail is the pane of one connection: who it is, what is going on, what is
// going to happen, its settings and its story.
type detail struct {
	open  bool
	facts facts // of the connection that it shows
	tale  tale
	other string // what the other host saw of its silence
	gone  bool   // the connection is in the store no more
	top   int    // lines scrolled
	lines []string
	width int
}

// load takes the selected connection's facts and story out of the store. What
// is gone stays on the screen as it was last, and is said to be gone.
func (d *detail) load(m *model) {
	if !d.open {
		return
	}
	if m.table.sel == nil {
		d.open = false
		return
	}
	facts := m.src.row(m.table.sel)
	if facts.id != d.facts.id {
		d.top, d.gone = 0, false
	}
	d.facts = facts
	if d.other = ""; facts.unheard() {
		d.other = m.live.otherSide(facts.ID())
	}
	if tale, ok := m.src.tale(m.table.sel); ok {
		d.tale, d.gone = tale, false
	} else {
		d.gone = true
	}
	d.width = m.width
	d.lines = d.render(m, m.width)
}

// clamp keeps the scrolling within the text; height has the pane's title.
func (d *detail) clamp(height int) {
	d.top = max(0, min(d.top, len(d.lines)-(height-1)))
}

// view draws the pane.
func (d *detail) view(m *model, height int) []string {
	state := "connection " + thousands(m.table.selAt+1) + " of " + thousands(len(m.snap.order))
	if d.gone {
		state = "gone"
	}
	return m.theme.scrolled("detail", state, d.lines, min(d.top, len(d.lines)), m.width, height)
}

// twoColumns is the width from which the story stands beside the rest.
const twoColumns = 140

// render writes the whole text of the pane.
func (d *detail) render(m *model, width int) []string {
	if width < twoColumns {
		lines := d.who(m, width)
		lines = append(lines, d.goingOn(m, width)...)
		lines = append(lines, d.prediction(m, width)...)
		lines = append(lines, d.settings(m, width)...)
		return append(lines, d.story(m, width)...)
	}
	left := width/2 - 2
	right := width - left - 3
	a := d.goingOn(m, left)
	a = append(a, d.prediction(m, left)...)
	a = append(a, d.settings(m, left)...)
	b := d.story(m, right)
	lines := d.who(m, width)
	bar := m.theme.dim.Render(" │ ")
	if m.theme.ascii {
		bar = m.theme.dim.Render(" | ")
	}
	for i := range max(len(a), len(b)) {
		var l, r string
		if i < len(a) {
			l = a[i]
		}
		if i < len(b) {
			r = b[i]
		}
		lines = append(lines, l+strings.Repeat(" ", max(0, left-cells(l)))+bar+r)
	}
	return lines
}

// who names the connection and its owner.
func (d *detail) who(m *model, width int) []string {
	t, f := m.theme, &d.facts
	cl := f.class()
	var l line
	l.add(t.class[cl], " "+t.glyph.class[cl]+" "+cl.String()+"  ")
	l.add(t.bold, addrWords(f.Local)+" "+t.glyph.arrow+" "+addrWords(f.Remote))
	var kind []string
	for _, s := range []string{f.Family.String(), f.TCPState.String()} {
		if s != "" {
			kind = append(kind, s)
		}
	}
	if len(kind) > 0 {
		l.add(t.dim, "  "+strings.Join(kind, ", "))
	}
	lines := []string{ansi.Truncate(l.String(), width, t.glyph.ellipsis)}
	if d.gone {
		lines = append(lines, t.alarm.Render(t.cut(" GONE: closed, not by keepalive, or dismissed. This is its last state. ", width)))
	}
	facts := []pair{{"owner", t.owner(f)}}
	if f.Has&conn.HasUID != 0 && f.Process.PID != 0 {
		facts = append(facts, pair{"uid", strconv.FormatUint(uint64(f.UID), 10)})
	}
	if f.Container != "" {
		facts = append(facts, pair{"container", sanitize(strings.TrimSpace(f.ContainerName+" "+f.Container), t.ascii)})
	}
	if f.PodName != "" {
		facts = append(facts, pair{"pod", sanitize(f.PodNamespace+"/"+f.PodName, t.ascii)})
	}
	if f.Pod != "" {
		facts = append(facts, pair{"pod uid", sanitize(f.Pod, t.ascii)})
	}
	if f.Cgroup != "" {
		facts = append(facts, pair{"cgroup", sanitize(f.Cgroup, t.ascii)})
	}
	if f.Host != "" {
		facts = append(facts, pair{"host", sanitize(f.Host, t.ascii)})
	}
	if f.Netns != 0 {
		facts = append(facts, pair{"netns", sanitize(conn.NetnsWords(f.Netns, m.opt.NetnsName), t.ascii)})
	}
	if f.Inode != 0 {
		facts = append(facts, pair{"inode", strconv.FormatUint(f.Inode, 10)})
	}
	return append(lines, t.pairs(facts, width)...)
}

type pair struct{ name, value string }

// pairs writes names and values one after the other, as many on a line as fit.
func (t *theme) pairs(list []pair, width int) []string {
	var lines []string
	var l line
	for _, p := range list {
		n := cells(p.name) + 1 + cells(p.value) + 2
		if l.w > 0 && l.w+n > width {
			lines = append(lines, l.String())
			l = line{}
		}
		l.add(t.dim, " "+p.name+" ")
		l.add(t.text, t.cut(p.value, width-l.w-1))
		l.add(t.text, " ")
	}
	return t.clip(append(lines, l.String()), width)
}

// clip cuts lines that are too long; a safety net for tiny widths.
func (t *theme) clip(lines []string, width int) []string {
	for i, s := range lines {
		if cells(s) > width {
			lines[i] = ansi.Truncate(s, width, "")
		}
	}
	return lines
}

// section is a heading within the pane.
func (t *theme) section(name, note string, width int) []string {
	var l line
	l.add(t.title, " "+name)
	if note != "" {
		l.add(t.dim, "  "+note)
	}
	return []string{"", ansi.Truncate(l.String(), width, t.glyph.ellipsis)}
}

// goingOn is the advice.
func (d *detail) goingOn(m *model, width int) []string {
	t := m.theme
	lines := t.section("What is going on", "", width)
	if d.other != "" {
		lines = append(lines, t.item(t.key, t.bold, sanitize("By the other host: "+d.other+".", t.ascii), width)...)
	}
	for _, s := range advise(&d.facts, m.now(), m.opt.Lacks) {
		lines = append(lines, t.item(t.key, t.text, sanitize(s, t.ascii), width)...)
	}
	return lines
}

// item writes a bullet and a wrapped text.
func (t *theme) item(bullet, text ink, s string, width int) []string {
	var lines []string
	for i, part := range strings.Split(conn.Wrap(s, max(1, width-4)), "\n") {
		var l line
		if i == 0 {
			l.add(bullet, " "+t.glyph.bullet+" ")
		} else {
			l.add(text, "   ")
		}
		l.add(text, part)
		lines = append(lines, l.String())
	}
	return t.clip(lines, width)
}

// settings are the settings in force with their sources.
func (d *detail) settings(m *model, width int) []string {
	t, f := m.theme, &d.facts
	lines := t.section("Settings", "", width)
	if f.Has&conn.HasKeepalive == 0 {
		return t.clip(append(lines, t.dim.Render("   not known: nothing has told them yet")), width)
	}
	for _, s := range advice.InForce(f.Keepalive) {
		var l line
		l.add(t.dim, "   "+t.fit(s.Name, 13))
		l.add(t.bold, t.fit(s.Value, 9)+" ")
		source := t.text
		if s.Sysctl {
			source = t.warn
		}
		l.add(source, s.From)
		lines = append(lines, ansi.Truncate(l.String(), width, t.glyph.ellipsis))
	}
	return lines
}

// story is every event kept, the latest first, with the time since the one before.
func (d *detail) story(m *model, width int) []string {
	t, f := m.theme, &d.facts
	note := "latest first, UTC, + since the event before"
	lines := t.section("Story", note, width)
	r := d.tale.records
	if !f.seen {
		none := "no event so far: known from the list of sockets, as of " + clockTime(f.listed)
		return append(lines, t.clip([]string{t.dim.Render("   " + none)}, width)...)
	}
	for i := len(r) - 1; i >= 0; i-- {
		since := ""
		if i > 0 {
			since = "+" + short(time.Duration(r[i].at-r[i-1].at))
		}
		var l line
		l.add(t.dim, "   "+clockTime(r[i].at)+" "+t.fitRight(since, 7)+"  ")
		l.add(t.storyInk(r[i].kind, r[i].unanswered), t.words(f, r[i], d.tale.notes[i]))
		lines = append(lines, ansi.Truncate(l.String(), width, t.glyph.ellipsis))
	}
	if d.tale.earlier > 0 {
		lines = append(lines, t.clip([]string{t.dim.Render("   " + t.glyph.ellipsis + " " + count(d.tale.earlier, "earlier event") + " not kept")}, width)...)
	}
	return lines
}
