// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/conn"
)

// width is that of the text, in columns: that of a terminal.
const width = 80

// How many of each the text shows; the JSON has more.
const (
	textSilences = 8
	textDeaths   = 8
	textParties  = 8
	textSettings = 6
)

// text writes the report for a terminal.
type text struct {
	b strings.Builder
	r *Report
	clock
}

// WriteText writes the report for a terminal of 80 columns.
func (r *Report) WriteText(w io.Writer) error {
	t := &text{r: r, clock: r.clock()}
	t.head()
	t.incidents()
	t.deaths()
	t.silences()
	t.ways()
	t.parties("Peers in trouble", "peer", r.Peers, r.LeftOut.Peers)
	t.parties("Programs in trouble", "program", r.Owners, r.LeftOut.Owners)
	t.roundTrips()
	t.settings()
	t.coverage()
	_, err := io.WriteString(w, t.b.String())
	return err
}

func (t *text) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	t.b.WriteByte('\n')
}

// section begins a section with its title and what belongs to it.
func (t *text) section(title, note string) {
	t.b.WriteByte('\n')
	if note != "" {
		title += ": " + note
	}
	t.wrap("", "  ", title)
}

// wrap writes words, the first line and the others after what is before them.
func (t *text) wrap(first, others, words string) {
	room := width - max(cells(first), cells(others))
	for i, line := range strings.Split(conn.Wrap(words, room), "\n") {
		if i == 0 {
			t.line("%s%s", first, line)
			continue
		}
		t.line("%s%s", others, strings.TrimLeft(line, " "))
	}
}

// more says how many are not shown.
func (t *text) more(n int) {
	if n > 0 {
		t.line("  ... and %s more", thousands(uint64(n)))
	}
}

func cells(s string) int { return ansi.StringWidth(s) }

// fit makes s exactly n cells wide.
func fit(s string, n int) string {
	if cells(s) > n {
		s = ansi.Truncate(s, n, "~")
	}
	return s + strings.Repeat(" ", max(0, n-cells(s)))
}

// upper begins with a capital letter.
func upper(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:n]) + s[n:]
}

func (t *text) head() {
	if t.r.From.IsZero() {
		t.wrap("", "  ", t.r.Nothing())
		return
	}
	if title := t.r.Title(); title != "" {
		t.wrap("", "  ", title)
	}
	for _, words := range t.r.HostWords() {
		t.wrap("", "  ", words)
	}
	if words := t.r.FilterWords(); words != "" {
		t.wrap("", "  ", words)
	}
	t.wrap("", "  ", t.r.Span())
	t.wrap("", "", t.r.Headline())
}

func (t *text) incidents() {
	if len(t.r.Incidents) == 0 {
		return
	}
	t.section("Incidents", "")
	for _, i := range t.r.Incidents[:min(len(t.r.Incidents), textParties)] {
		t.wrap("  - ", "    ", i.Words)
	}
	t.more(len(t.r.Incidents) - textParties + t.r.LeftOut.Incidents)
}

func (t *text) deaths() {
	d := &t.r.Deaths
	if len(d.Causes) == 0 {
		return
	}
	t.section("Deaths", thousands(t.r.Connections.Died))
	for _, c := range d.Causes {
		words := c.Cause.Words()
		if more := c.MoreWords(); more != "" {
			words += " (" + more + ")"
		}
		t.wrap(fmt.Sprintf("%7s  ", thousands(c.Connections)), strings.Repeat(" ", 9), words)
	}
	t.section("The first of them", "")
	for _, one := range d.First[:min(len(d.First), textDeaths)] {
		t.line("  %s  %s", t.at(one.Time), one.Connection.Tuple())
		t.wrap("            ", "            ", one.Connection.OwnerWords()+": "+one.Words)
	}
	t.more(int(t.r.Connections.Died) - min(len(d.First), textDeaths))
}

func (t *text) silences() {
	for _, s := range [...]struct {
		title string
		of    *Silences
	}{{"Longest silences", &t.r.Silences}, {"Longest silences that ended with an answer", &t.r.Recoveries}} {
		if s.of.Count == 0 {
			continue
		}
		t.section(s.title, "of "+count(uint64(s.of.Count), "silence"))
		for _, one := range s.of.Longest[:min(len(s.of.Longest), textSilences)] {
			t.line("  %7s  from %s  %s", one.Length(), t.at(one.Since), one.Connection.Tuple())
			t.wrap("           ", "           ", one.Connection.OwnerWords()+": "+one.Words())
		}
		t.more(s.of.Count - min(len(s.of.Longest), textSilences))
	}
}

// ways says in which direction the paths lose segments.
func (t *text) ways() {
	if len(t.r.Ways) == 0 {
		return
	}
	t.section("What the other sides saw of the probes", "")
	for _, w := range t.r.Ways[:min(len(t.r.Ways), textParties)] {
		t.wrap(fmt.Sprintf("%7s  ", thousands(uint64(w.Silences))), strings.Repeat(" ", 9), w.Words())
	}
	t.more(len(t.r.Ways) - textParties)
}

func (t *text) parties(title, what string, list []Party, more int) {
	if len(list) == 0 {
		return
	}
	t.section(title, "")
	t.line("  %s %11s %8s %9s %6s", fit(strings.ToUpper(what), 40), "CONNECTIONS", "SILENCES", "RECOVERED", "DIED")
	for _, p := range list[:min(len(list), textParties)] {
		t.line("  %s %11s %8s %9s %6s", fit(p.Name.Safe(), 40), thousands(p.Connections), thousands(p.Silences), thousands(p.Recovered), thousands(p.Died))
	}
	t.more(len(list) - textParties + more)
}

func (t *text) roundTrips() {
	r := t.r.RoundTrips
	if r == nil {
		return
	}
	t.section("Round trips", count(r.Count, "answer"))
	t.wrap("  ", "  ", r.Words())
	columns := r.columns()
	var most uint64
	for _, c := range columns {
		most = max(most, c.Count)
	}
	for _, c := range columns {
		const room = 40
		bar := strings.Repeat("#", int(c.Count*room/most))
		if bar == "" && c.Count > 0 {
			bar = "."
		}
		t.line("  %13s %s %s", c.Label(), fit(bar, room), thousands(c.Count))
	}
}

func (t *text) settings() {
	if len(t.r.Settings) == 0 {
		return
	}
	t.section("Settings", "")
	for _, s := range t.r.Settings[:min(len(t.r.Settings), textSettings)] {
		words := s.Words()
		if owners := s.OwnerWords(); owners != "" {
			words += " (" + owners + ")"
		}
		t.wrap(fmt.Sprintf("%7s  ", thousands(s.Connections)), strings.Repeat(" ", 9), words)
		for _, a := range s.Advice {
			if a.Command == "" {
				t.wrap("         - ", "           ", a.Words)
				continue
			}
			t.wrap("         - ", "           ", a.Words+" ("+conn.DryRun+"):")
			t.line("           %s", a.Command) // whole, to be copied
		}
	}
	t.more(len(t.r.Settings) - textSettings + t.r.LeftOut.Settings)
}

// coverage says what was seen beside, and what the report does not hold.
func (t *text) coverage() {
	if len(t.r.Hints) > 0 {
		t.section("Seen beside", "")
		for _, h := range t.r.Hints[:min(len(t.r.Hints), textParties)] {
			t.wrap(fmt.Sprintf("%7s  ", thousands(h.Count)), strings.Repeat(" ", 9), h.Words.Safe())
		}
		t.more(len(t.r.Hints) - textParties)
	}
	t.section("Losses and gaps", "")
	for _, words := range t.r.Gone() {
		t.wrap("  - ", "    ", words)
	}
}
