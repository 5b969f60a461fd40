// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Bounds of the stories. A story starts small and doubles; while all stories
// together hold more than storyBudget records, none grows beyond storyLow.
// 200,000 connections then hold 32 + 51 MiB of stories at most.
const (
	storyFirst  = 4
	storyLow    = 8
	storyHigh   = 64
	storyBudget = 1 << 20
)

// record is one event in a connection's story: what its line needs, in 32
// bytes where the Event has some 400.
type record struct {
	at         nanos
	span       time.Duration // of an answer the round trip, else since the last segment from the peer
	dies       uint32        // until the kernel gives up, in diesUnit; at most 497 days
	unanswered uint32        // of KindSuspended and KindEnded the bytes that are not acknowledged
	note       uint16        // in Store.notes: errno, send error, ICMP error, or drop
	kind       events.Kind
	verdict    events.Verdict
	reason     events.Reason
	count      uint8 // TCP_KEEPCNT; of KindSuspended and KindEnded the retransmits
	waits      conn.Waiting
	has        recordFact
}

const diesUnit = 10 * time.Millisecond

type recordFact uint8

const (
	recSpan recordFact = 1 << iota
	recDies
	recUnanswered
	recExact // span is a round trip known exactly
)

// event makes a record of the story of f an Event again, as far as words need it.
func (r *record) event(f *facts, n note) events.Event {
	e := events.Event{State: conn.State{Keepalive: f.Keepalive}, Time: time.Unix(0, r.at).UTC(), Kind: r.kind, Verdict: r.verdict, Reason: r.reason}
	e.WaitsFor = r.waits
	if r.hasData() {
		e.Retransmits, e.Unacked, e.Has = int(r.count), r.unanswered, e.Has|conn.HasUnacked
	} else {
		e.Keepalive.Count, e.Unanswered = int(r.count), int(r.unanswered)
	}
	if r.has&recUnanswered != 0 {
		e.Has |= conn.HasUnanswered
	}
	if r.has&recDies != 0 {
		e.DiesIn, e.Has = time.Duration(r.dies)*diesUnit, e.Has|conn.HasDiesIn
	}
	switch {
	case r.has&recSpan == 0:
	case r.kind == events.KindAnswer:
		e.RTT, e.RTTExact, e.Has = r.span, r.has&recExact != 0, e.Has|events.HasRTT
	default:
		e.IdleFor, e.Has = r.span, e.Has|conn.HasIdleFor
	}
	switch r.kind {
	case events.KindProbe:
		e.SendError = n.text
	case events.KindICMP:
		e.ICMP.Text, e.ICMP.From = n.text, n.from
	case events.KindDropped:
		e.Drop = n.drop
	case events.KindSet:
		e.Set = &n.set
	case events.KindReset, events.KindPeerReset, events.KindEnded: // a connection ends once
		e.RST, e.By, e.Errno = f.rst, f.by, n.text
	default: // its words need none
	}
	return e
}

// hasData tells whether the record is of data rather than of probes.
func (r *record) hasData() bool { return r.kind == events.KindSuspended || r.kind == events.KindEnded }

// story is a ring of a connection's latest records.
type story struct {
	ring []record
	head int    // the oldest, once the ring is full
	n    uint64 // records ever
}

// add appends a record and returns by how many records the ring grew.
func (s *story) add(r record, mayGrow bool) (grown int) {
	size := len(s.ring)
	if size == cap(s.ring) && (size < storyLow || mayGrow && size < storyHigh) {
		bigger := make([]record, 0, max(storyFirst, 2*size))
		bigger = append(bigger, s.ring[s.head:]...)
		s.ring, s.head = append(bigger, s.ring[:s.head]...), 0
		grown = cap(s.ring) - size
	}
	s.n++
	if size < cap(s.ring) {
		s.ring = append(s.ring, r)
		return grown
	}
	s.ring[s.head] = r
	s.head = (s.head + 1) % size
	return grown
}

// appendTo appends the records that the ring holds, oldest first.
func (s *story) appendTo(dst []record) []record {
	return append(append(dst, s.ring[s.head:]...), s.ring[:s.head]...)
}

// note is a string of a record, with the router where it is an ICMP error; or why
// and where a segment was dropped; or what katrace set did.
type note struct {
	text string
	from netip.Addr
	drop events.Drop
	set  events.Set
}

// notes interns the few distinct notes that a trace has, so that a record
// holds two bytes of them.
type notes struct {
	all   []note
	index map[note]uint16
}

// maxNotes bounds the notes; the last one stands for those beyond.
const maxNotes = 1 << 12

func (n *notes) intern(v note) uint16 {
	if v == (note{}) {
		return 0
	}
	if i, ok := n.index[v]; ok {
		return i
	}
	if n.index == nil {
		n.index = make(map[note]uint16)
		n.all = append(n.all, note{})
	}
	if len(n.all) >= maxNotes {
		v = note{text: "(too many different notes)"}
		if i, ok := n.index[v]; ok {
			return i
		}
	}
	var text string
	keep(&text, v.text)
	v.text = text
	v.drop = cloneDrop(v.drop)
	v.set.Error = strings.Clone(v.set.Error)
	n.all = append(n.all, v)
	n.index[v] = uint16(len(n.all) - 1)
	return n.index[v]
}

func (n *notes) get(i uint16) note {
	if int(i) < len(n.all) {
		return n.all[i]
	}
	return note{}
}

// newRecord makes the record of an event.
func (s *Store) newRecord(e *events.Event, count int) record {
	r := record{at: e.Time.UnixNano(), kind: e.Kind, verdict: e.Verdict, reason: e.Reason,
		count: uint8(min(count, 255)), waits: e.WaitsFor}
	if r.hasData() {
		r.unanswered, r.count = e.Unacked, uint8(min(max(e.Retransmits, 0), 255))
	}
	if e.Has&conn.HasUnanswered != 0 {
		r.unanswered = uint32(min(max(e.Unanswered, 0), math.MaxUint32))
		r.has |= recUnanswered
	}
	if e.Has&conn.HasDiesIn != 0 {
		r.dies = uint32(min(max(e.DiesIn.Round(diesUnit)/diesUnit, 0), math.MaxUint32))
		r.has |= recDies
	}
	switch {
	case e.Kind == events.KindAnswer:
		if e.Has&events.HasRTT != 0 {
			r.span = e.RTT
			r.has |= recSpan
			if e.RTTExact {
				r.has |= recExact
			}
		}
	case e.Has&conn.HasIdleFor != 0:
		r.span = e.IdleFor
		r.has |= recSpan
	}
	switch e.Kind {
	case events.KindProbe:
		r.note = s.notes.intern(note{text: e.SendError})
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		r.note = s.notes.intern(note{text: e.Errno})
	case events.KindICMP:
		r.note = s.notes.intern(note{text: e.ICMP.Text, from: e.ICMP.From})
	case events.KindDropped:
		r.note = s.notes.intern(note{drop: e.Drop})
	case events.KindSet:
		if e.Set != nil {
			r.note = s.notes.intern(note{set: *e.Set})
		}
	default: // its words need none
	}
	return r
}
