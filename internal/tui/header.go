// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// headerLine draws one line of the header.
type headerLine func(m *model) string

// headerPlan says which lines the header has: what a low terminal leaves out
// is what changes least. A loss is always said.
func (m *model) headerPlan() []headerLine {
	var plan []headerLine
	if m.height >= 8 {
		plan = append(plan, (*model).statusLine)
	}
	plan = append(plan, (*model).countsLine)
	if m.height >= 4 && m.snap.Lost.Total() > 0 {
		plan = append(plan, (*model).lostLine)
	}
	if m.height >= 8 && m.boundsText() != "" {
		plan = append(plan, (*model).boundsLine)
	}
	if m.height >= 14 && len(m.opt.Lacks) > 0 {
		plan = append(plan, (*model).lacksLine)
	}
	if m.height >= 10 && m.notice != "" {
		plan = append(plan, (*model).noticeLine)
	}
	return plan
}

// statusLine: who we are and how the stream does.
func (m *model) statusLine() string {
	t := m.theme
	right := []string{m.lostText(), thousandsRate(m.snap.PerSecond) + " events/s"}
	if m.frozen.IsZero() {
		right = append(right, thousands(m.snap.Since)+" in this snapshot")
	}
	left := []string{m.opt.Source}
	if m.opt.Backend != "" {
		left = append(left, m.opt.Backend)
	}
	if m.opt.Kernel != "" {
		left = append(left, "Linux "+m.opt.Kernel)
	}
	left = append(left, "up "+age(m.snap.At.Sub(m.started)))

	var l line
	l.add(t.brand, " katrace ")
	if !m.frozen.IsZero() {
		l.add(t.badge, " FROZEN ")
		left[len(left)-1] = "at " + m.frozen.UTC().Format("15:04:05Z")
	}
	// The rightmost facts give way first, then those on the left.
	room := m.width - l.w - 2
	for len(right) > 1 && textWidth(left)+textWidth(right) > room {
		right = right[:len(right)-1]
	}
	for len(left) > 1 && textWidth(left)+textWidth(right) > room {
		left = append(left[:len(left)-2], left[len(left)-1])
	}
	l.add(t.bar, " ")
	l.add(t.bar, t.cut(sanitize(strings.Join(left, t.glyph.sep), t.ascii), m.width-l.w))
	end := strings.Join(right, t.glyph.sep) + " "
	if l.w+cells(end) <= m.width {
		l.pad(t.bar, m.width-cells(end))
		style := t.bar
		if m.snap.Lost.Total() > 0 {
			style = t.alarm
		}
		l.add(style, right[0])
		l.add(t.bar, end[len(right[0]):])
	}
	l.pad(t.bar, m.width)
	return l.String()
}

// textWidth is how wide the facts are when joined with separators.
func textWidth(facts []string) (w int) {
	for _, s := range facts {
		w += cells(s) + 3
	}
	return w
}

func (m *model) lostText() string {
	if n := m.snap.Lost.Total(); n > 0 {
		return " " + thousands(n) + " LOST "
	}
	return "lost 0"
}

// shyness is the order in which the words of the counts give way where the
// line is too narrow for all of them: their signs and the rows below remain.
var shyness = []class{classWaiting, classAsking, classSuspended, classCongested, classAlive,
	classUnreachable, classUnreachableEnded, classReset, classAborted, classForgotten, classTimedOut, classSilent}

// countsLine: the connections by verdict, worst first. What there is none of
// is left out.
func (m *model) countsLine() string {
	var mute [numClasses]bool
	l := m.counts(&mute, true)
	for i := -1; l.w > m.width && i < len(shyness); i++ {
		if i >= 0 {
			mute[shyness[i]] = true
		}
		l = m.counts(&mute, false)
	}
	return ansi.Truncate(l.String(), m.width, m.theme.glyph.ellipsis)
}

func (m *model) counts(mute *[numClasses]bool, news bool) *line {
	t, l := m.theme, new(line)
	if m.height < 8 { // no status line: what must be said is said here
		if !m.frozen.IsZero() {
			l.add(t.badge, "FROZEN")
		}
		if n := m.snap.Lost.Total(); n > 0 {
			l.add(t.alarm, thousands(n)+" LOST")
		}
	}
	any := false
	for c := range numClasses {
		n := m.snap.Counts[c]
		if n == 0 {
			continue
		}
		any = true
		l.add(t.text, " ")
		l.add(t.class[c], t.glyph.class[c])
		if !mute[c] {
			l.add(t.class[c], " "+thousands(n)+" ")
			l.add(t.dim, c.String()+" ")
		} else {
			l.add(t.class[c], thousands(n))
		}
	}
	if news && m.snap.NoNews > 0 {
		l.add(t.dim, fmt.Sprintf("  (%s without news)", thousands(m.snap.NoNews)))
	}
	if !any {
		l.add(t.dim, " no connection with keepalive has shown itself yet")
	}
	return l
}

// lostLine: what was lost, and the remedy.
func (m *model) lostLine() string {
	var parts []string
	lost := m.snap.Lost
	if lost.Ring > 0 {
		parts = append(parts, thousands(lost.Ring)+" records, the ring was full: use a larger --ring-size, or a filter")
	}
	if lost.Missed > 0 {
		parts = append(parts, thousands(lost.Missed)+" firings that the kernel skipped (kprobe misses): try another --attach")
	}
	if lost.Memory > 0 {
		parts = append(parts, thousands(lost.Memory)+" answers go unseen, the kernel had no memory at once")
	}
	if lost.Follow > 0 {
		parts = append(parts, thousands(lost.Follow)+" answers go unseen, too many probes out at once: --follow-size, or a filter")
	}
	return m.theme.alarm.Render(m.theme.fit(" LOST "+strings.Join(parts, m.theme.glyph.sep), m.width))
}

// boundsText says what the view had no room for.
func (m *model) boundsText() string {
	var parts []string
	if m.snap.Dismissed > 0 {
		parts = append(parts, count(m.snap.Dismissed, "ended connection")+" dismissed: only the latest "+thousands(m.opt.MaxEnded)+" are kept")
	}
	if m.snap.Refused > 0 {
		parts = append(parts, count(m.snap.Refused, "event")+" of connections beyond the first "+thousands(m.opt.MaxConns)+" have no row")
	}
	if m.snap.Unlisted > 0 {
		parts = append(parts, count(m.snap.Unlisted, "more socket")+" with keepalive beyond the "+thousands(m.opt.MaxListed)+" listed: each shows with its first event")
	}
	if m.frozenPart {
		parts = append(parts, "frozen with the first "+thousands(freezeMax)+" connections only")
	}
	return strings.Join(parts, m.theme.glyph.sep)
}

func (m *model) boundsLine() string {
	return m.theme.warn.Render(m.theme.cut(" "+m.boundsText(), m.width))
}

func (m *model) lacksLine() string {
	s := sanitize(strings.Join(m.opt.Lacks, "; "), m.theme.ascii)
	name := m.opt.Backend
	if name == "" {
		name = "this backend"
	}
	return m.theme.dim.Render(m.theme.cut(" "+name+" cannot know: "+s, m.width))
}

func (m *model) noticeLine() string {
	return m.theme.warn.Render(m.theme.cut(" "+sanitize(m.notice, m.theme.ascii), m.width))
}

// cut shortens s to w cells with an ellipsis; it does not pad.
func (t *theme) cut(s string, w int) string { return ansi.Truncate(s, max(0, w), t.glyph.ellipsis) }

func thousandsRate(v float64) string {
	if v > 0 && v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(uint64(v + 0.5))
}

// clockTime writes a time of day, in UTC as the streams do.
func clockTime(at nanos) string { return time.Unix(0, at).UTC().Format("15:04:05.000") }
