// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/events"
)

// The log keeps at most logBurst events of each logWindow, and as many ends
// and losses besides: a flood leaves a sample over some seconds, instead of the
// last few milliseconds. What is left out is counted where it is missing.
const (
	logWindow = 200 * time.Millisecond
	logBurst  = 200
)

// logEntry is an event of the log. Entries whose numbers are not consecutive
// have events between them that were not kept.
type logEntry struct {
	seq   uint64 // counted from 1 over all events of the stream
	event events.Event
	text  []byte // what a filter looks at, once it was made
}

// logRing keeps the latest entries.
type logRing struct {
	ring   []logEntry
	size   int
	head   int // the oldest, once the ring is full
	window int64
	kept   [2]int // in this window: of all, of ends and losses
}

func newLogRing(size int) logRing { return logRing{size: size} }

// add keeps the event, if there is room in its window, and returns where.
func (l *logRing) add(e *events.Event, seq uint64) *events.Event {
	if w := e.Time.UnixNano() / int64(logWindow); w != l.window {
		l.window, l.kept = w, [2]int{}
	}
	rank := 0
	if e.Kind.Ends() || e.Kind == events.KindLost {
		rank = 1
	}
	if l.kept[rank] >= logBurst {
		return nil
	}
	l.kept[rank]++
	if len(l.ring) < l.size {
		l.ring = append(l.ring, logEntry{seq: seq, event: *e})
		return &l.ring[len(l.ring)-1].event
	}
	at := l.head
	l.ring[at].seq, l.ring[at].event = seq, *e
	l.head = (l.head + 1) % len(l.ring)
	return &l.ring[at].event
}

// since appends the entries with numbers above seq, oldest first.
func (l *logRing) since(dst []logEntry, seq uint64) []logEntry {
	n := len(l.ring)
	for i := range n {
		if e := &l.ring[(l.head+i)%n]; e.seq > seq {
			dst = append(dst, *e)
		}
	}
	return dst
}
