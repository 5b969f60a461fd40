// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"time"

	"katrace/internal/events"
)

// Where events are few, one whose owner is being looked for waits for the scan,
// which takes milliseconds, and those after it wait behind it. Its time is not
// changed.
const (
	holdFor  = 50 * time.Millisecond // at most
	holdMany = 256                   // events at a time
	fewASec  = 300                   // events; where there are more nothing waits
)

// holdBack are the events that wait, in their order. It is used again once it is
// empty, so that it does not allocate for long.
type holdBack struct {
	events []heldEvent
	next   int // the first that still waits
}

type heldEvent struct {
	event events.Event
	asked bool // its owner is being looked for
	until time.Time
}

func (h *holdBack) empty() bool { return h.next == len(h.events) }

func (h *holdBack) add(e *events.Event, asked bool) {
	h.events = append(h.events, heldEvent{*e, asked, time.Now().Add(holdFor)})
}

// first is the one that waits longest; there is one.
func (h *holdBack) first() *heldEvent { return &h.events[h.next] }

func (h *holdBack) drop() {
	h.events[h.next] = heldEvent{} // hold on to no strings
	if h.next++; h.empty() {
		h.events, h.next = h.events[:0], 0
	}
}

// wakeAt is when the loop has to look again, at the latest.
func (h *holdBack) wakeAt(latest time.Time) time.Time {
	if !h.empty() && h.first().until.Before(latest) {
		return h.first().until
	}
	return latest
}

// pace counts events, to say whether they are few.
type pace struct{ before, recent int }

func (p *pace) few() bool { return p.before <= fewASec && p.recent <= fewASec }

// tick is called once a second.
func (p *pace) tick() { p.before, p.recent = p.recent, 0 }

// tell takes an event from the tracker: to the sink, or behind those that wait.
func (s *stream) tell(e *events.Event) error {
	s.pace.recent++
	asked := false
	if s.pace.few() {
		asked = s.fillOwner(e) && s.wants(e) && s.owners.Hurry(holdFor)
	} else {
		s.fillOwnerFast(e)
	}
	if s.held.empty() && !asked {
		return s.pass(e)
	}
	if len(s.held.events) == holdMany || !s.pace.few() {
		if err := s.release(time.Time{}); err != nil {
			return err
		}
		return s.pass(e)
	}
	s.held.add(e, asked)
	return nil
}

// release passes on the events that need not wait any more at that time; the zero
// time: all of them.
func (s *stream) release(now time.Time) error {
	for !s.held.empty() {
		h := s.held.first()
		if h.asked && s.fillOwner(&h.event) && !now.IsZero() && now.Before(h.until) {
			return nil
		}
		err := s.pass(&h.event)
		if s.held.drop(); err != nil {
			return err
		}
	}
	return nil
}
