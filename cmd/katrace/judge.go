// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// judge says whether the filter wants the event. Where its owner is not known
// now, the one it had before decides; of a connection that its process has closed
// that one is named.
func (s *stream) judge(e *events.Event) bool {
	byOwner := s.filter.Owner.Any()
	if !byOwner && !s.pace.few() {
		if !s.owned.empty() {
			s.owned = owned{} // nothing is forgotten from here on, so nothing may be remembered
		}
		return s.filter.Match(e)
	}
	now, recalled := ownerOf(e), false
	switch {
	case now.process.PID != 0:
		s.owned.remember(e)
	case now.heldBy != conn.HeldByKernel:
		recalled = s.owned.recall(e)
	}
	wanted := s.filter.Match(e)
	if !wanted && s.wants(e) && s.filter.Owner.Unknown(&e.Owner, s.names.OfContainers()) {
		s.leftOut++
	}
	if recalled && e.Inode != 0 {
		now.set(e) // that one has let go of it
	}
	if e.Kind.Ends() || e.Kind == events.KindClosed {
		s.owned.forget(e)
	}
	return wanted
}

// wants says whether the user wants the event if its owner is wanted.
func (s *stream) wants(e *events.Event) bool {
	return s.filter.MatchBesidesOwner(e) && (s.all || !needsAll(e.Kind))
}

// lastOwner is the owner that was found last. A record may tell two events, of the same
// socket at the same time.
type lastOwner struct {
	time  time.Time
	inode uint64
	owner conn.Owner
}

// fillOwnerFast is fillOwner where events are many: none waits for its owner.
func (s *stream) fillOwnerFast(e *events.Event) {
	last := &s.last
	if e.Has&events.HasDoer != 0 || e.Inode == 0 {
		s.fillOwner(e)
		return
	}
	if last.inode == e.Inode && last.time.Equal(e.Time) {
		e.Owner = last.owner
		return
	}
	s.fillOwner(e)
	last.time, last.inode, last.owner = e.Time, e.Inode, e.Owner
}

// fillOwner says who holds the socket, as far as that is known by now, and
// whether a scan is going to tell.
func (s *stream) fillOwner(e *events.Event) (asked bool) {
	process := e.Process
	asked = s.owners.Fill(e, s.now)
	if e.Has&events.HasDoer == 0 {
		return asked
	}
	if process.PID != e.Process.PID {
		e.HeldBy = 0
	}
	e.Process = process // the kernel said so
	return false
}
