// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"slices"
	"strings"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/recording"
)

// Host is one of which there are events, and when it was recorded.
type Host struct {
	Name     Text     `json:"name,omitempty"`
	From     Time     `json:"from"`
	Until    Time     `json:"until"`
	Kernel   Text     `json:"kernel,omitempty"`
	Backend  Text     `json:"backend,omitempty"`
	Version  Text     `json:"version,omitempty"`
	Filters  Text     `json:"filters,omitempty"`
	NotKnown []string `json:"not_known,omitempty"`
	// Marked: it has the lines by which gaps show.
	Marked  bool   `json:"heartbeats"`
	Stopped bool   `json:"stopped"` // the latest line says that katrace stopped
	Exit    string `json:"exit,omitempty"`
	Gaps    []Gap  `json:"gaps"`
}

// Gap is a time in which a host was not recorded.
type Gap struct {
	From Time   `json:"from"`
	To   Time   `json:"until"`
	Why  string `json:"why"`
}

var gapWords = map[recording.Why][2]string{
	recording.WhyStalled: {"stalled", "katrace could not run, or could not write"},
	recording.WhyAsleep:  {"asleep", "the machine was suspended"},
	recording.WhyStopped: {"stopped", "katrace was stopped"},
	recording.WhyCut:     {"cut", "katrace was killed, or it crashed, or the host did; it was started again"},
}

// maxGaps is how many gaps of a host are listed.
const maxGaps = 100

// Cover adds when which hosts were recorded.
func (r *Report) Cover(c *recording.Coverage) {
	r.Hosts = []Host{}
	for _, h := range c.Hosts() {
		s := &h.Start
		made := Host{Name: Text(h.Name), From: Time{h.First}, Until: Time{h.Last}, Kernel: Text(s.Kernel), Backend: Text(s.Backend), Version: Text(s.Version),
			Filters: Text(s.Filters), Marked: h.Marked, Stopped: h.Stopped, Gaps: []Gap{}}
		for i, word := range events.UnknownWords() {
			if s.NotKnown&(1<<i) != 0 {
				made.NotKnown = append(made.NotKnown, word)
			}
		}
		if h.Stopped {
			made.Exit = h.Exit.String()
		}
		gaps, more := first(h.Gaps, maxGaps)
		for _, g := range gaps {
			made.Gaps = append(made.Gaps, Gap{Time{g.From}, Time{g.To}, gapWords[g.Why][0]})
		}
		r.Hosts = append(r.Hosts, made)
		r.LeftOut.Gaps += more + h.More
	}
	r.LeftOut.Hosts = c.Full()
}

// GapLane are the gaps of a host in the time line.
type GapLane struct {
	Words string
	Bands []Band
}

// GapLanes are those of the hosts that have gaps.
func (r *Report) GapLanes() (lanes []GapLane) {
	for _, h := range r.Hosts {
		if len(h.Gaps) == 0 || len(lanes) == maxShown {
			continue
		}
		l := GapLane{Words: count(uint64(len(h.Gaps)), "time")}
		if h.Name != "" {
			l.Words = h.Name.Safe() + ", " + l.Words
		}
		for _, g := range h.Gaps {
			l.Bands = append(l.Bands, r.band("", g.From, g.To))
		}
		lanes = append(lanes, l)
	}
	return lanes
}

// HostWords are the hosts, each with how it was traced.
func (r *Report) HostWords() (words []string) {
	for _, h := range r.Hosts {
		var parts []string
		for _, p := range [...]struct {
			before string
			text   Text
		}{{"", h.Name}, {"Linux ", h.Kernel}, {"by ", h.Backend}, {"katrace ", h.Version}, {"filters: ", h.Filters}} {
			if p.text != "" {
				parts = append(parts, p.before+p.text.Safe())
			}
		}
		if len(parts) > 0 {
			words = append(words, strings.Join(parts, ", "))
		}
	}
	return words
}

// Gone says what is missing, in sentences.
func (r *Report) Gone() (out []string) {
	switch {
	case r.Lost != nil:
		out = append(out, upper(r.Lost.Words)+".")
	case slices.ContainsFunc(r.Recordings, func(rec Recording) bool { return rec.Unknown > 0 }):
		out = append(out, "katrace reported no loss that this version knows of.")
	default:
		out = append(out, "katrace reported no loss.")
	}
	for _, rec := range r.Recordings {
		if rec.Damaged > 0 {
			out = append(out, rec.Name.Safe()+": "+count(uint64(rec.Damaged), "damaged line")+" skipped.")
		}
		if rec.Unknown > 0 {
			out = append(out, rec.Name.Safe()+": "+count(uint64(rec.Unknown), "line")+" with an event or a word that this version does not know: such an event is skipped, such a word left out.")
		}
		if rec.Back > 0 {
			out = append(out, rec.Name.Safe()+": "+count(uint64(rec.Back), "event")+" earlier than the one before: was the wall clock set back?")
		}
	}
	if r.Late > 0 {
		out = append(out, count(uint64(r.Late), "event")+" came after later ones of the other recordings: their order may be wrong.")
	}
	for _, h := range r.Hosts {
		name := ""
		if h.Name != "" {
			name = h.Name.Safe() + ": "
		}
		for _, g := range h.Gaps {
			out = append(out, name+"nothing was recorded from "+r.clock().at(g.From)+" to "+r.clock().at(g.To)+" ("+conn.Span(g.To.Sub(g.From.Time))+"): "+g.words()+".")
		}
		switch {
		case !h.Marked:
			out = append(out, name+"the recording has no heartbeats: it cannot be told whether katrace ran when no event came.")
		case !h.Stopped:
			out = append(out, name+"the recording has no end (stop): katrace still runs, or it was killed after "+r.clock().at(h.Until)+".")
		}
		if len(h.NotKnown) > 0 {
			out = append(out, name+"the recording cannot hold: "+strings.Join(h.NotKnown, ", ")+".")
		}
	}
	if r.LeftOut.Hosts {
		out = append(out, "More than "+thousands(uint64(len(r.Hosts)))+" hosts: when the others were recorded is not listed.")
	}
	if n := r.LeftOut.Gaps; n > 0 {
		out = append(out, count(uint64(n), "more gap")+".")
	}
	return append(out, r.Bounds()...)
}

func (g Gap) words() string {
	for _, w := range gapWords {
		if w[0] == g.Why {
			return w[1]
		}
	}
	return g.Why
}

// Of adds what the recordings are, and what is wrong with them.
func (r *Report) Of(names []string, in *recording.Reader) {
	troubles := in.Troubles()
	for _, name := range names {
		made := Recording{Name: Text(name)}
		for _, t := range troubles {
			r.Late = max(r.Late, t.Late)
			if t.Name == name {
				made.Damaged, made.Unknown, made.Back = t.Damaged, t.Unknown, t.Back
			}
		}
		r.Recordings = append(r.Recordings, made)
	}
	r.Cover(in.Coverage())
}
