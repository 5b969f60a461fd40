// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// keeper keeps the events for the judgement, counts what was lost, and passes
// the events of the staged connections on.
type keeper struct {
	next   events.Sink
	names  map[conn.ID]string
	events []events.Event
	lost   events.Lost
}

func (k *keeper) Event(e *events.Event) error {
	if e.Kind == events.KindLost {
		k.lost = k.lost.Plus(e.Lost)
		return k.next.Event(e)
	}
	k.events = append(k.events, *e)
	if k.names[e.ID()] == "" {
		return nil // somebody else's
	}
	return k.next.Event(e)
}

func (k *keeper) Flush() error { return k.next.Flush() }

// newDemoLines is the stream's sink, but for text: there the case's name stands
// for the addresses, and of hundreds of unanswered probes few are shown.
func newDemoLines(w io.Writer, o output, names map[conn.ID]string) events.Sink {
	s := newLineSink(w, o)
	if o != outputText {
		return s
	}
	start := time.Now()
	s.encode = func(dst []byte, e *events.Event) []byte {
		dst = fmt.Appendf(dst, "%6.2fs  %-20s %-12s ", e.Time.Sub(start).Seconds(), names[e.ID()], e.Kind)
		return events.AppendWords(dst, e)
	}
	return few{s}
}

// few leaves out most probes of a peer that has not answered many of them: it
// passes on the first ones, those about where 8 bits are full, and every hundredth.
type few struct{ events.Sink }

func (f few) Event(e *events.Event) error {
	n := e.Unanswered
	if e.Kind == events.KindProbe && n > 9 && n%100 != 0 && (n < 255 || n > 257) {
		return nil
	}
	return f.Sink.Event(e)
}
