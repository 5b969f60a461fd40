// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"math"
	"time"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/events"
)

// storyInk is how an event's words look in a story.
func (t *theme) storyInk(k events.Kind, unanswered uint32) ink {
	switch k {
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		return t.class[classTimedOut]
	case events.KindICMP, events.KindDropped:
		return t.class[classUnreachable]
	case events.KindSuspended:
		return t.class[classSuspended]
	case events.KindAnswer, events.KindResumed:
		return t.class[classAlive]
	case events.KindProbe:
		if unanswered > 1 {
			return t.warn
		}
		return t.text
	case events.KindProbed, events.KindEnabled, events.KindWindowProbe, events.KindTimer, events.KindClosed, events.KindSet, events.KindLost,
		events.KindStart, events.KindHeartbeat, events.KindStop, events.KindSuppressed:
	}
	return t.dim
}

// prediction says what is going to happen, and when.
func (d *detail) prediction(m *model, width int) []string {
	t, f, now := m.theme, &d.facts, m.now()
	lines := t.section("Prediction", "if the peer stays silent", width)
	add := func(name, value string, style ink) {
		var l line
		l.add(t.dim, "   "+t.fit(name, 13))
		l.add(style, value)
		lines = append(lines, ansi.Truncate(l.String(), width, t.glyph.ellipsis))
	}
	switch {
	case f.ended:
		lines[1] = ansi.Truncate(t.title.Render(" Prediction"), width, "")
		add("ended", fmt.Sprintf("%s ago, at %s UTC", age(time.Duration(now-f.last)), clockTime(f.last)), t.bold)
		return lines
	case f.overdue(now):
		add("no news", fmt.Sprintf("the timer was due %s ago, at %s UTC", age(time.Duration(now-f.next)), clockTime(f.next)), t.warn)
		return lines
	case f.next == 0 && f.dies == 0:
		add("not known", "nothing has told when the timer fires", t.dim)
		return lines
	}
	if f.heard != 0 {
		add("last heard", age(time.Duration(now-f.heard))+" ago", t.text)
	}
	if f.next != 0 {
		when := in(f.next, now)
		if f.overlong() {
			when += ": armed before a change"
		}
		add("timer fires", when, t.bold)
	}
	if f.dies != 0 {
		style := t.bold
		if f.class().failing() {
			style = t.class[f.class()]
		}
		add("gives up", in(f.dies, now), style)
	}
	return append(lines, d.timeline(t, now, width)...)
}

// in says when: "in 4.2s, at 01:02:03.456 UTC".
func in(at, now nanos) string {
	if at <= now {
		return "now"
	}
	return "in " + short(time.Duration(at-now)) + ", at " + clockTime(at) + " UTC"
}

// timeline draws the time from the peer's last segment to the kernel's giving
// up: probes sent, now, probes to come.
func (d *detail) timeline(t *theme, now nanos, width int) []string {
	f := &d.facts
	wide := min(width-6, 100)
	if f.heard == 0 || f.dies == 0 || f.dies <= f.heard || wide < 24 || f.Keepalive.Interval <= 0 {
		return nil
	}
	from := f.heard
	at := func(n nanos) int {
		return int(math.Round(float64(n-from) / float64(f.dies-from) * float64(wide-1)))
	}
	if idle := at(f.heard + int64(f.Keepalive.Idle)); idle > wide/2 {
		// A long idle time would press the probes together: begin later.
		from = max(f.heard, min(now, f.heard+int64(f.Keepalive.Idle))-(f.dies-f.heard-int64(f.Keepalive.Idle))/4)
	}
	row := make([]string, wide)
	style := make([]ink, wide)
	for i := range row {
		row[i], style[i] = t.glyph.line, t.dim
	}
	put := func(n nanos, sign string, s ink) {
		if i := at(n); i >= 0 && i < wide && n >= from {
			row[i], style[i] = sign, s
		}
	}
	// One for each probe to come, or of very many one for each cell.
	interval := int64(f.Keepalive.Interval)
	every := interval * max(1, (f.dies-from)/interval/int64(wide))
	for n, i := f.next, 0; f.next > 0 && n < f.dies-interval/2 && i < 2*wide; n, i = n+every, i+1 {
		put(n, t.glyph.planned, t.text)
	}
	for _, r := range d.tale.records {
		if r.kind == events.KindProbe && r.at > f.heard {
			put(r.at, t.glyph.sent, t.warn)
		}
	}
	put(now, t.glyph.now, t.key)
	put(f.dies, t.glyph.died, t.class[classTimedOut])

	var l line
	l.add(t.text, "   ")
	for i := range row {
		l.add(style[i], row[i])
	}
	var legend line
	legend.add(t.dim, "   "+age(time.Duration(now-from))+" ago  ")
	for _, e := range []struct {
		sign, word string
		s          ink
	}{
		{t.glyph.sent, "probe unanswered", t.class[classSilent]},
		{t.glyph.now, "now", t.key},
		{t.glyph.planned, "probe to come", t.text},
		{t.glyph.died, "given up", t.class[classTimedOut]},
	} {
		legend.add(e.s, e.sign+" ")
		legend.add(t.dim, e.word+"  ")
	}
	return t.clip([]string{l.String(), legend.String()}, width)
}
