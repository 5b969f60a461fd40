// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"fmt"

	"katrace/internal/conn"
)

// Summary counts results.
type Summary struct {
	Sockets, Changed, AsWanted, Closed, Failed int
	Refused                                    int // of the failed, those for want of privileges
	off                                        int // changed times or counts, with keepalive off
	sourced                                    int // values that were a sysctl's
	unsure                                     int // values of which that is not known
}

// Sum counts.
func Sum(results []*Result) (s Summary) {
	s.Sockets = len(results)
	for _, r := range results {
		switch r.Outcome {
		case WouldChange, Changed:
			s.Changed++
			if r.Changes&(Idle|Interval|Count) != 0 && (r.Changes|^r.After.Known)&On == 0 && !r.After.On {
				s.off++
			}
			switch k := &r.Socket.Keepalive; {
			case r.Sourced != 0:
				s.sourced++
			case k.Unsure&settings(r.Changes) != 0:
				s.unsure++
			}
		case AsWanted:
			s.AsWanted++
		case Closed:
			s.Closed++
		case Failed:
			s.Failed++
			if r.refused {
				s.Refused++
			}
		}
	}
	return s
}

// Lines say what it comes to, a sentence a line.
func (s Summary) Lines(applied, undone bool) (lines []string) {
	if s.Sockets == 0 {
		return []string{"no socket matches: nothing to set"}
	}
	what, failed := "would change", "cannot be changed"
	if applied {
		what, failed = "changed", "NOT changed"
	}
	line := fmt.Sprintf("%d of %s %s", s.Changed, conn.Count(s.Sockets, "socket"), what)
	for _, part := range []struct {
		n    int
		what string
	}{{s.AsWanted, "as wanted"}, {s.Closed, "closed"}, {s.Failed, failed}} {
		if part.n > 0 {
			line += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if !applied {
		line = "dry run: " + line
		if s.Changed > 0 {
			line += "; --apply does it"
		}
	}
	lines = append(lines, line)
	if s.off > 0 {
		lines = append(lines, fmt.Sprintf("keepalive is off on %d of them: no probe is sent without --on", s.off))
	}
	if s.unsure > 0 && !undone {
		lines = append(lines, "on "+conn.Count(s.unsure, "socket")+" values equal a sysctl's: netlink does not tell whether they come from it. Once set, a value is the socket's own, which --undo cannot take back")
	}
	switch sockets := conn.Count(s.sourced, "socket"); {
	case s.sourced == 0:
	case undone:
		lines = append(lines, "on "+sockets+" values are put back that were a sysctl's: they have its value again, but are the socket's own, and a later change of the sysctl does not reach them")
	case applied:
		lines = append(lines, "on "+sockets+" values came from a sysctl: they are the socket's own now, which --undo cannot take back")
	default:
		lines = append(lines, "on "+sockets+" values are a sysctl's until then: after that they are the socket's own, which --undo cannot take back")
	}
	return lines
}
