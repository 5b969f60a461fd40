// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// grouping is by what the table groups connections.
type grouping uint8

// The groupings, in the order of the key that goes through them.
const (
	ungrouped grouping = iota
	byService          // the peer and the service's port
	byOwner            // the pod, else the container, else the program
	bySettings
	byNetns
	numGroupings
)

// groupingWords are the titles of what the groups have in common.
var groupingWords = [numGroupings]string{"", "PEER AND SERVICE", "OWNER", "SETTINGS", "NETNS"}

// id is the group of a connection.
func (by grouping) id(s *conn.State, ports *group.Ports) group.ID {
	switch by {
	case byService:
		return group.Keys{group.Remote, group.Service}.Of(s, ports)
	case byOwner:
		switch {
		case s.Pod != "":
			return group.Keys{group.Pod}.Of(s, ports)
		case s.Container != "":
			return group.Keys{group.Container}.Of(s, ports)
		}
		return group.ID{Process: group.Holder(&s.Owner)}
	case bySettings:
		return group.Keys{group.Settings}.Of(s, ports)
	case byNetns:
		return group.ID{Netns: s.Netns}
	case ungrouped, numGroupings:
	}
	return group.ID{}
}

// groupRow is a group in the table.
type groupRow struct {
	id     group.ID
	n      int
	counts [numClasses]int
	since  nanos // the earliest "last heard" of those that are not well; 0: none is known
	dies   nanos // the next giving up; 0: none is known
}

// add counts a connection.
func (g *groupRow) add(c *entry, now nanos) {
	g.n++
	g.counts[c.shown]++
	if !c.shown.well() && c.heard != 0 && (g.since == 0 || c.heard < g.since) {
		g.since = c.heard
	}
	if c.dies != 0 && !c.healthy() && !c.overdue(now) && (g.dies == 0 || c.dies < g.dies) {
		g.dies = c.dies
	}
}

// unwell is how many of the connections have a verdict other than alive.
func (g *groupRow) unwell() (n int) {
	for c := range numClasses {
		if !c.well() {
			n += g.counts[c]
		}
	}
	return n
}

// worst is the worst class of the group.
func (g *groupRow) worst() class {
	for c := range numClasses {
		if g.counts[c] > 0 {
			return c
		}
	}
	return classWaiting
}

// within limits a table to the connections of one group.
type within struct {
	by grouping
	id group.ID
}

// groups puts the connections that q asks for into groups.
func (s *Store) groups(q Query, by grouping, now time.Time) []*groupRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make(map[group.ID]*groupRow)
	var all []*groupRow
	at := now.UnixNano()
	var state conn.State // of one after another
	// Backwards, as collect does; one that was moved meanwhile is counted once more
	// or not at all, in a frame.
	for i := len(s.conns) - 1; i >= 0; i-- {
		if i%chunk == 0 && i > 0 {
			s.breathe()
			if i = min(i, len(s.conns)-1); i < 0 {
				break
			}
		}
		c := s.conns[i]
		if !q.wants(c, s.ports()) {
			continue
		}
		state = c.state()
		id := by.id(&state, s.ports())
		g := rows[id]
		if g == nil {
			g = &groupRow{id: id}
			rows[id] = g
			all = append(all, g)
		}
		g.add(c, at)
	}
	return all
}

// ports says which ports are services': what the sockets of the host tell or, where
// they are not listed, the connections.
func (s *Store) ports() *group.Ports {
	if s.listing.ports != nil {
		return s.listing.ports
	}
	return s.told
}

// wants says whether the query asks for the connection.
func (q *Query) wants(c *entry, ports *group.Ports) bool {
	if q.Ended && !c.ended {
		return false
	}
	if q.within != nil {
		s := c.state()
		if q.within.by.id(&s, ports) != q.within.id {
			return false
		}
	}
	return q.filter == nil || q.filter.match(c)
}
