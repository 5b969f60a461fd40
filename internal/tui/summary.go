// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"time"
)

// summaryLines is how many groups a Summary lists.
const summaryLines = 10

// Summary says what the connections that are not well have in common, for the end
// of a stream or of the view: the incidents, and the groups by peer and service,
// worst first. It is "" where there are neither incidents nor two such connections.
// It is safe for a terminal.
func (s *Store) Summary() string {
	now := s.now()
	s.mu.Lock()
	s.watch.Look(now, s.well)
	var b strings.Builder
	for _, i := range s.watch.All() {
		b.WriteString(i.Sentence(now) + "\n")
	}
	s.mu.Unlock()

	var g groupTable
	g.by = byService
	t := newTheme(look{plain: true, ascii: true})
	g.take(t, s.groups(Query{}, g.by, now))
	unwell, groups, longest := 0, 0, 0
	for _, r := range g.rows {
		if n := r.unwell(); n > 0 {
			unwell += n
			if groups++; groups <= summaryLines {
				longest = max(longest, cells(r.name))
			}
		}
	}
	if unwell < 2 {
		return b.String()
	}
	b.WriteString(count(unwell, "connection") + " not alive, by peer and service" + s.bounds() + ":\n")
	for _, r := range g.rows[:min(groups, summaryLines)] { // the worst are first
		b.WriteString("  " + t.fit(r.name, longest) + "  " + r.words())
		if r.since != 0 {
			b.WriteString(", the first last heard " + time.Unix(0, r.since).UTC().Format("15:04:05Z"))
		}
		b.WriteByte('\n')
	}
	if more := groups - summaryLines; more > 0 {
		b.WriteString("  and " + count(more, "more group") + "\n")
	}
	return b.String()
}

// bounds says how many connections were counted, where there were more.
func (s *Store) bounds() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused > 0 || s.dismissed > 0 {
		return " (of the first " + thousands(s.opt.MaxConns) + " connections, and the latest " + thousands(s.opt.MaxEnded) + " that ended)"
	}
	return ""
}

// words are the connections by class: "12 silent, 1 timed_out of 40".
func (g *groupRow) words() string {
	var parts []string
	for c := range numClasses {
		if n := g.counts[c]; n > 0 && !c.well() {
			parts = append(parts, thousands(n)+" "+c.String())
		}
	}
	return strings.Join(parts, ", ") + " of " + thousands(g.n)
}

// now is the moment that the Store shows.
func (s *Store) now() time.Time {
	now := s.opt.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.IsZero() || now.Unix() == 0 {
		return time.Unix(0, s.clock) // a replay that has not begun
	}
	return now
}
