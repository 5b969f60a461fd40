// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/conn"
)

// The pictures are SVG inside the page, of rectangles alone: they are stretched to
// the width there is, and all words stand beside them as HTML, which keeps its
// size. Colours are the page's.

// maxShown is how many lanes the picture has.
const maxShown = 16

// Strip is one lane of the time line, as two curves of steps: how many connections
// were silent, above its middle, and how many died, below it.
type Strip struct {
	Name   string // safe
	Note   string // "4 of 4 silent, 4 died"
	Title  string // for those who do not see it
	Silent string // a path in a box of Bins by 100
	Died   string
}

// Bins is the width of the strips' boxes.
func (r *Report) Bins() int {
	return max(1, r.line.bin(r.Until.UnixMilli())+1)
}

// Strips are the lanes to be shown.
func (r *Report) Strips() []Strip {
	if r.line.width == 0 {
		return nil
	}
	all := &party{Party: Party{Name: "all connections", Connections: r.Connections.Seen, Died: r.Connections.Died, Silences: uint64(r.Silences.Count), Recovered: r.Connections.Recovered}, lane: &r.line.all}
	strips := []Strip{r.strip(all)}
	for _, p := range r.hung {
		if p.lane != nil && len(strips) < maxShown {
			strips = append(strips, r.strip(p))
		}
	}
	return strips
}

func (r *Report) strip(p *party) Strip {
	s := Strip{Name: p.Name.Safe(), Note: count(p.Connections, "connection") + ", " + count(p.Silences, "silence") + ", " + thousands(p.Died) + " died"}
	n := r.Bins()
	silent, died := p.lane.silent[:n], p.lane.died[:n]
	s.Silent, s.Died = steps100(silent, -1), steps100(died, 1)
	most, at := peak(silent)
	s.Title = s.Name + ": " + s.Note + "."
	if most > 0 {
		s.Note += fmt.Sprintf(", at most %s silent at once", thousands(uint64(most)))
		s.Title += fmt.Sprintf(" Most were silent at %s: %s.", r.binTime(at), thousands(uint64(most)))
	}
	return s
}

func peak(counts []uint32) (most uint32, at int) {
	for i, n := range counts {
		if n > most {
			most, at = n, i
		}
	}
	return most, at
}

func (r *Report) binTime(bin int) string {
	return r.clock().at(timeOf(r.line.from + int64(bin)*r.line.width))
}

// steps100 is a curve of steps as a path that is filled: from the middle of a box
// that is 100 high, upwards (-1) or downwards (1), the highest step 48 high and
// none that is not 0 less than 6.
func steps100(counts []uint32, way int) string {
	most, _ := peak(counts)
	if most == 0 {
		return ""
	}
	var b strings.Builder
	open := false
	for i, n := range counts {
		if n == 0 {
			if open {
				b.WriteString("V50Z")
			}
			open = false
			continue
		}
		if !open {
			fmt.Fprintf(&b, "M%d,50", i)
			open = true
		}
		fmt.Fprintf(&b, "V%dH%d", 50+way*max(6, int(48*uint64(n)/uint64(most))), i+1)
	}
	if open {
		b.WriteString("V50Z")
	}
	return b.String()
}

// Ticks are the words below the time line, at its beginning, quarters and end.
func (r *Report) Ticks() (words []string) {
	end := int64(r.Bins()) * r.line.width
	for i := range int64(5) {
		words = append(words, r.clock().at(timeOf(r.line.from+end*i/4)))
	}
	return words
}

// BinWords is how much time a step of the time line is.
func (r *Report) BinWords() string {
	return conn.Exact(time.Duration(r.line.width) * time.Millisecond)
}

// Bar is a row of a bar chart.
type Bar struct {
	Label string
	Count string
	Width int // of 1000
	More  string
	Note  string
}

// CauseBars are the deaths by cause.
func (r *Report) CauseBars() (bars []Bar) {
	var most uint64
	for _, c := range r.Deaths.Causes {
		most = max(most, c.Connections)
	}
	for _, c := range r.Deaths.Causes {
		bars = append(bars, Bar{upper(c.Cause.Words()), thousands(c.Connections), share(c.Connections, most), c.MoreWords(), c.Cause.Meaning()})
	}
	return bars
}

// SilenceBars are the longest silences.
func (r *Report) SilenceBars() (bars []Bar) {
	for _, s := range r.Silences.Longest {
		bars = append(bars, Bar{Label: s.Connection.Tuple(), Count: s.Length(), Width: share(uint64(s.For), uint64(r.Silences.Longest[0].For)),
			More: s.Connection.OwnerWords(), Note: "since " + r.clock().at(s.Since) + ": " + s.Words()})
	}
	return bars
}

// Bars are the round trips as columns.
func (r *RoundTrips) Bars() (bars []Bar) {
	columns := r.columns()
	var most uint64
	for _, c := range columns {
		most = max(most, c.Count)
	}
	for _, c := range columns {
		bars = append(bars, Bar{Label: c.Label(), Count: thousands(c.Count), Width: share(c.Count, most)})
	}
	return bars
}

// share is n as a part of most, of 1000; what is not 0 is to be seen.
func share(n, most uint64) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(4, int(float64(n)/float64(most)*1000))
}
