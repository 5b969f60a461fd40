// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"strings"
	"time"

	"katrace/internal/conn"
)

// Sentence says what happened, and what became of it: "2,000 of 2,000 connections
// to 10.98.0.2 silent since 19:30:34Z: 1,990 still are, 10 ended". Times are UTC,
// with their date where it is not that day's. It is safe for a terminal.
func (i *Incident) Sentence(day time.Time) string {
	s := i.Headline(day)
	if i.Kind == Resets || i.Lasts() && i.Silent == i.Affected {
		return s
	}
	return s + ": " + i.outcome()
}

// Headline is the Sentence without what became of it.
func (i *Incident) Headline(day time.Time) string {
	known := " "
	if !i.Listed {
		known = " known "
	}
	noun := "connections"
	if i.Of == 1 {
		noun = "connection"
	}
	return i.share() + known + noun + i.Whose() + " " + i.what() + i.when(day)
}

// Brief is the Headline for where there is little room.
func (i *Incident) Brief(day time.Time) string {
	return i.share() + i.Whose() + " " + i.what() + i.when(day)
}

// share is how many of how many. That all are affected is a claim only of a list:
// elsewhere there may be others that are well, and were not told of yet.
func (i *Incident) share() string {
	if !i.Listed && i.Affected == i.Of {
		return conn.Thousands(i.Affected)
	}
	return conn.Thousands(i.Affected) + " of " + conn.Thousands(i.Of)
}

func (i *Incident) when(day time.Time) string {
	switch since, until := clock(i.Since, day), clock(i.Until, i.Since); {
	case i.Lasts():
		return " since " + since
	case i.Kind == Resets && since == until:
		return " at " + since
	default:
		return " from " + since + " to " + until
	}
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
		return " of container " + string(conn.AppendShortID(nil, i.Scope.Named())) + "," + peers + ","
	case Pod:
		return " of pod " + conn.Safe(i.Scope.Named()) + "," + peers + ","
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

func clock(t, day time.Time) string {
	const layout = time.DateOnly
	if t = t.UTC(); t.Format(layout) == day.UTC().Format(layout) {
		return t.Format("15:04:05Z")
	}
	return t.Format(layout + " 15:04:05Z")
}
