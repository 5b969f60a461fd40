// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"strings"
	"time"

	"katrace/internal/conn"
)

// Sentence says what happened: "2,000 of 2,000 connections to 10.98.0.2 silent
// since 19:30:34Z". Times are of the day, UTC. It is safe for a terminal.
func (i *Incident) Sentence() string {
	var b strings.Builder
	known := ""
	if !i.Listed {
		known = "known "
	}
	b.WriteString(conn.Thousands(i.Affected) + " of " + conn.Thousands(i.Of) + " " + known + "connection")
	if i.Of != 1 {
		b.WriteByte('s')
	}
	b.WriteString(i.Whose() + " " + i.what())
	since, until := clock(i.Since), clock(i.Until)
	switch {
	case i.Lasts():
		b.WriteString(" since " + since)
		if n := i.Recovered + i.Ended + i.Closed; n > 0 {
			b.WriteString(": " + i.outcome())
		}
	case i.Kind == Resets && since == until:
		b.WriteString(" at " + since)
	case i.Kind == Resets:
		b.WriteString(" from " + since + " to " + until)
	default:
		b.WriteString(" from " + since + " to " + until + ": " + i.outcome())
	}
	return b.String()
}

// Whose says which connections: " to 10.98.0.2", " of postgres, to 3 peers".
func (i *Incident) Whose() string {
	peers := " to " + conn.Thousands(i.Peers) + " peers"
	if i.Peers == 1 {
		peers = " to 1 peer"
	}
	switch i.Scope.Level {
	case Service:
		return " to " + i.Scope.Addr.String()
	case Peer:
		return " to " + i.Scope.Addr.Addr().String()
	case Process:
		return " of " + conn.Safe(i.Scope.Name) + "," + peers + ","
	case Container:
		return " of container " + string(conn.AppendShortID(nil, i.Scope.Name)) + "," + peers + ","
	case Pod:
		return " of pod " + conn.Safe(i.Scope.Name) + "," + peers + ","
	case Many, All:
	}
	return peers
}

func (i *Incident) what() string {
	switch i.Kind {
	case ClosedWindows:
		return "blocked by closed receive windows"
	case Resets:
		return "reset"
	case Silence:
	}
	return "silent"
}

// outcome says what became of them: "1,990 recovered, 10 ended".
func (i *Incident) outcome() string {
	var parts []string
	for _, o := range [...]struct {
		n    int
		word string
	}{{i.Silent, "still are"}, {i.Recovered, "recovered"}, {i.Ended, "ended"}, {i.Closed, "closed"}} {
		switch o.n {
		case 0:
		case i.Affected:
			return "all " + o.word
		default:
			parts = append(parts, conn.Thousands(o.n)+" "+o.word)
		}
	}
	return strings.Join(parts, ", ")
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
