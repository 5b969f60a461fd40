// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// logLine is a line of the log pane: one event, or a run of healthy answers,
// each with its probe, that follow each other.
type logLine struct {
	entry   int    // the latest event's index among the entries
	missing uint64 // events before it that were not kept
	answers int    // folded into the line; 0: it is about its event alone
	peers   int    // that they come from
	rtts    int    // of them, those whose round trip is known
	low     time.Duration
	high    time.Duration
	exact   bool // the round trips are
}

// fold makes lines of the entries with the given indices.
func fold(entries []logEntry, matching []int) []logLine {
	healthy, hidden := pairs(entries, matching)
	var lines []logLine
	var peers map[conn.ID]struct{}
	missing := uint64(0)
	for _, i := range matching {
		if i > 0 {
			missing += entries[i].seq - entries[i-1].seq - 1
		}
		if hidden[i] {
			continue // it is part of its answer's line
		}
		if !healthy[i] {
			lines = append(lines, logLine{entry: i, missing: missing})
			missing, peers = 0, nil
			continue
		}
		e := &entries[i].event
		if peers == nil || missing > 0 {
			lines = append(lines, logLine{missing: missing, exact: true})
			missing, peers = 0, make(map[conn.ID]struct{})
		}
		peers[e.ID()] = struct{}{}
		l := &lines[len(lines)-1]
		l.entry, l.peers = i, len(peers)
		l.answers++
		if e.Has&events.HasRTT != 0 {
			if l.rtts == 0 || e.RTT < l.low {
				l.low = e.RTT
			}
			l.high, l.exact = max(l.high, e.RTT), l.exact && e.RTTExact
			l.rtts++
		}
	}
	return lines
}

// pairs finds the answers of peers that had not failed to answer before, and
// the probes that they answer.
func pairs(entries []logEntry, matching []int) (healthy, hidden map[int]bool) {
	healthy, hidden = make(map[int]bool), make(map[int]bool)
	out := make(map[conn.ID]int) // a first probe, not answered yet
	failing := make(map[conn.ID]bool)
	for _, i := range matching {
		e := &entries[i].event
		id := e.ID()
		switch e.Kind {
		case events.KindAnswer:
			probe, asked := out[id]
			delete(out, id)
			if failing[id] {
				delete(failing, id) // a recovery is news
			} else if healthy[i] = true; asked {
				hidden[probe] = true
			}
		case events.KindProbe:
			if e.Unanswered > 1 || e.SendError != "" {
				failing[id] = true
			} else {
				out[id] = i
			}
		case events.KindICMP, events.KindDropped:
			failing[id] = true
		default: // says nothing of whether the peer answers
		}
	}
	return healthy, hidden
}
