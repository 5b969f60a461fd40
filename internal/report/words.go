// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/mirror"
)

// thousands writes a number with separators: "1,234,567".
func thousands(n uint64) string { return conn.Thousands(int(n)) }

// count is a number with its noun: "1,234 connections".
func count(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// clock writes times: with the day where the report has several.
type clock struct {
	layout string
	day    time.Time // in the day, if it is one
}

func (r *Report) clock() clock {
	if r.From.YearDay() == r.Until.YearDay() && r.From.Year() == r.Until.Year() {
		return clock{"15:04:05", r.Until.Time}
	}
	return clock{layout: "01-02 15:04:05"}
}

func (c clock) at(t Time) string { return t.Format(c.layout) }

// Span is from when to when, and how long that is.
func (r *Report) Span() string {
	const day = "2006-01-02 15:04:05"
	until := r.Until.Format(day)
	if r.clock().layout == "15:04:05" {
		until = r.Until.Format("15:04:05")
	}
	return r.From.Format(day) + " to " + until + " UTC (" + conn.Span(r.Duration()) + ")"
}

// FilterWords says that the report is not of all that was recorded; "": it is.
func (r *Report) FilterWords() string {
	other := func(h Host) bool { return h.Filters != r.Filters }
	if r.Filters == "" || len(r.Hosts) > 0 && !slices.ContainsFunc(r.Hosts, other) {
		return ""
	}
	return "only with " + r.Filters.Safe()
}

// Nothing is the report where there was no event.
func (r *Report) Nothing() string {
	if words := r.FilterWords(); words != "" {
		return "Nothing was recorded, " + words + "."
	}
	return "Nothing was recorded."
}

// Headline is the report in a sentence or two.
func (r *Report) Headline() string {
	c := &r.Connections
	if c.Seen == 0 && c.Died == 0 {
		return "No connection had an event."
	}
	parts := []string{count(c.Died, "connection") + " died"}
	if c.Died == 0 {
		parts[0] = "no connection died"
	}
	if c.Recovered > 0 {
		parts = append(parts, count(c.Recovered, "time")+" a silent peer answered again")
	}
	if c.Now > 0 {
		parts = append(parts, thousands(c.Now)+" silent at the end")
	}
	of := "Of "
	if r.LeftOut.Events > 0 {
		of = "Of more than "
	}
	return of + count(c.Seen, "connection") + " with an event, " + strings.Join(parts, "; ") + "."
}

// ErrnoWords is "ETIMEDOUT", or "4 ETIMEDOUT, 1 EHOSTUNREACH".
func (c CauseCount) ErrnoWords() string {
	n := counts{c.Errnos}
	var parts []string
	for _, errno := range n.commonest() {
		if c.Errnos[errno] == c.Connections {
			return conn.Safe(errno)
		}
		parts = append(parts, thousands(c.Errnos[errno])+" "+conn.Safe(errno))
	}
	return strings.Join(parts, ", ")
}

// MoreWords is what the applications read, and how many of the connections were
// unreachable.
func (c CauseCount) MoreWords() string {
	words := c.ErrnoWords()
	if c.Unreachable > 0 {
		if words != "" {
			words += "; "
		}
		words += thousands(c.Unreachable) + " with an error on the way"
	}
	return words
}

// End is how the silence ended, in words.
func (s Silence) End() string {
	if s.Outcome == Died {
		return s.Cause.Words()
	}
	return s.Outcome.Words()
}

// Words are how many probes went unanswered, and how it ended.
func (s Silence) Words() string {
	words := s.End()
	if s.Unanswered > 0 {
		words = conn.Count(s.Unanswered, "unanswered probe") + "; " + words
	}
	if s.OtherSide != nil && s.OtherSide.Seen != mirror.SeenNoEnd.String() { // Report.Ways counts those
		words += "; " + s.OtherSide.Words
	}
	return words
}

// Length is how long it was.
func (s Silence) Length() string { return conn.Span(s.For.Span()) }

// Words are the settings in words: "idle 60s, interval 10s, count 6".
func (s Settings) Words() string {
	k := s.Keepalive.Settings
	words := "idle " + conn.Exact(k.Idle) + ", interval " + conn.Exact(k.Interval) + ", count " + strconv.Itoa(k.Count)
	if k.UserTimeout > 0 {
		words += ", user timeout " + conn.Exact(k.UserTimeout)
	}
	return words
}

// OwnerWords names owners that have the settings.
func (s Settings) OwnerWords() string {
	var names []string
	for _, o := range s.Owners {
		names = append(names, o.Safe())
	}
	return strings.Join(names, ", ")
}

// micros writes a round trip.
func (r *RoundTrips) micros(us int64) string {
	if us == 0 && r.BelowJiffy > 0 {
		return "a jiffy"
	}
	return conn.Span(time.Duration(us) * time.Microsecond)
}

// Words are the quantiles in words.
func (r *RoundTrips) Words() string {
	if r.P99US == 0 && r.MostUS == 0 && r.BelowJiffy == r.Count {
		return "all below a jiffy (with --rtt they are known exactly)."
	}
	words := "half within " + r.micros(r.P50US) + ", 90% within " + r.micros(r.P90US) + ", 99% within " + r.micros(r.P99US) + ", the longest " + r.micros(r.MostUS)
	switch r.Exact {
	case r.Count:
	case 0:
		words += ". They are known to a jiffy (with --rtt: exactly)"
	default:
		words += ". Known to a jiffy: " + thousands(r.Count-r.Exact)
	}
	return words + "."
}

// Bounds says what the report leaves out, in sentences.
func (r *Report) Bounds() (out []string) {
	if n := r.LeftOut.Events; n > 0 {
		out = append(out, "More than "+thousands(MaxConnections)+" connections at once: "+count(n, "event")+" of the others are counted only where they report an end or a round trip.")
	}
	if n := r.LeftOut.Deaths; n > 0 {
		out = append(out, "The first "+thousands(uint64(len(r.Deaths.First)))+" ends are listed; "+thousands(n)+" more are counted only.")
	}
	return out
}

// columns are all that are shown, those below a jiffy first.
func (r *RoundTrips) columns() []Column {
	if r.BelowJiffy == 0 {
		return r.Columns
	}
	return append([]Column{{UptoUS: -1, Count: r.BelowJiffy}}, r.Columns...)
}

// Label is the column's bound: "to 200us".
func (c Column) Label() string {
	switch {
	case c.UptoUS < 0:
		return "below a jiffy"
	case c.UptoUS == 0:
		return "more"
	}
	return "to " + conn.Span(time.Duration(c.UptoUS)*time.Microsecond)
}

// Title is what was recorded: the recordings' names.
func (r *Report) Title() string {
	var names []string
	for _, rec := range r.Recordings {
		name := rec.Name.Safe()
		if name == "-" {
			name = "standard input"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
