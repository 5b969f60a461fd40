// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/events"
)

// headerLine draws one line of the header.
type headerLine func(m *model) string

// headerPlan says which lines the header has: what a low terminal leaves out
// is what changes least. A loss is always said; what is not known for good is
// one sign in the status line, with a page behind it.
func (m *model) headerPlan() []headerLine {
	var plan []headerLine
	if m.height >= 8 {
		plan = append(plan, (*model).statusLine)
	}
	plan = append(plan, (*model).countsLine)
	if m.height >= 7 && len(m.snap.incidents) > 0 {
		plan = append(plan, (*model).incidentLine)
	}
	if m.height >= 4 && m.snap.Lost.Total() > 0 {
		plan = append(plan, (*model).lostLine)
	}
	return plan
}

// fact is a part of the status line. On a narrow terminal the fact with the
// lowest rank gives way first; those of the highest rank stay.
type fact struct {
	text string
	rank int
}

const rankStays = 9

// statusLine: who we are and how the stream does.
func (m *model) statusLine() string {
	t := m.theme
	right := []fact{{m.lostText(), rankStays}, {m.caveatSign(), rankStays}, {thousandsRate(m.snap.PerSecond) + " events/s", 1}}
	if m.frozen.IsZero() {
		right = append(right, fact{thousands(m.snap.Since) + " in this snapshot", 0})
	}
	left := []fact{{m.opt.Source, rankStays}, {m.opt.Filter, rankStays}, {m.opt.Backend, 3}}
	if m.opt.Kernel != "" {
		left = append(left, fact{"Linux " + m.opt.Kernel, 2})
	}
	left = append(left, m.timeFacts()...)

	var l line
	l.add(t.brand, " katrace ")
	if !m.frozen.IsZero() {
		l.add(t.badge, " FROZEN ")
	}
	room := m.width - l.w - 3 // a cell at each end, and one between
	for rank := 0; rank < rankStays && factsWidth(left)+factsWidth(right) > room; rank++ {
		left, right = withoutRank(left, rank), withoutRank(right, rank)
	}
	end := m.joined(right) + " "
	if m.width-l.w-cells(end) < 8 { // room for a word on the left
		end = right[0].text + " "
	}
	l.add(t.bar, " ")
	l.add(t.bar, t.cut(sanitize(m.joined(left), t.ascii), max(6, m.width-l.w-cells(end)-1)))
	if l.w+cells(end) <= m.width {
		l.pad(t.bar, m.width-cells(end))
		style := t.bar
		if m.snap.Lost.Total() > 0 {
			style = t.alarm
		}
		l.add(style, right[0].text)
		l.add(t.bar, end[len(right[0].text):])
	}
	l.pad(t.bar, m.width)
	return l.String()
}

// timeFacts say which time the frame shows: of a recording its own span.
func (m *model) timeFacts() []fact {
	switch {
	case m.opt.Recording && m.snap.Begun != 0:
		return spanFacts(time.Unix(0, m.snap.Begun).UTC(), m.snap.At.UTC())
	case m.opt.Recording:
		return []fact{{"nothing played yet", 4}}
	case !m.frozen.IsZero():
		return []fact{{"at " + m.frozen.UTC().Format("15:04:05Z"), 5}}
	}
	return []fact{{"up " + age(m.snap.At.Sub(m.started)), 4}}
}

// spanFacts say from when to when a recording goes, the date where there is room.
func spanFacts(from, to time.Time) []fact {
	date, clock := "2006-01-02", "15:04:05"
	if from.Format(date) != to.Format(date) {
		date, clock = "2006", "01-02 15:04:05"
	}
	span := from.Format(clock) + " to " + to.Format(clock) + "Z (" + short(to.Sub(from)) + ")"
	return []fact{{from.Format(date), 3}, {span, 5}}
}

// joined is the facts that there are, with separators between them.
func (m *model) joined(facts []fact) string {
	var said []string
	for _, f := range facts {
		if f.text != "" {
			said = append(said, f.text)
		}
	}
	return strings.Join(said, m.theme.glyph.sep)
}

func withoutRank(facts []fact, rank int) []fact {
	return slices.DeleteFunc(facts, func(f fact) bool { return f.rank == rank })
}

// factsWidth is how wide the facts are when joined with separators.
func factsWidth(facts []fact) (w int) {
	for _, f := range facts {
		if f.text != "" {
			w += cells(f.text) + 3
		}
	}
	return max(0, w-3)
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
	classUnreachable, classUnreachableEnded, classEnded, classReset, classAborted, classForgotten, classTimedOut, classSilent}

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
		l.add(t.dim, " no connection so far")
	}
	return l
}

// lostLine: what was lost, and the remedy.
func (m *model) lostLine() string {
	words := events.AppendWords(nil, &events.Event{Kind: events.KindLost, Lost: m.snap.Lost})
	_, what, _ := strings.Cut(string(words), " lost: ")
	return m.theme.alarm.Render(m.theme.fit(" LOST "+what, m.width))
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
