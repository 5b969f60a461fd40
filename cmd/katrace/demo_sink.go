// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"time"

	"katrace/internal/events"
	"katrace/internal/lab"
)

// keeper keeps the events for the judgement and passes those of the staged
// connections on.
type keeper struct {
	next  events.Sink
	conns []lab.Conn
	names map[events.Conn]string
	kept  []events.Event
}

func newKeeper(conns []lab.Conn) *keeper {
	k := &keeper{conns: conns, names: map[events.Conn]string{}}
	for _, c := range conns {
		k.names[c.Conn] = c.Case
	}
	return k
}

func (k *keeper) Event(e *events.Event) error {
	if e.Kind != events.KindLost {
		k.kept = append(k.kept, *e)
		if k.names[e.Conn()] == "" {
			return nil // somebody else's
		}
	}
	return k.next.Event(e)
}

func (k *keeper) Flush() error { return k.next.Flush() }

// judge holds the events kept against the outcomes.
func (k *keeper) judge(outcomes []lab.Outcome, can lab.Backend) (rows []lab.Row, strays []events.Event) {
	byCase, strays := lab.Sort(k.kept, k.conns)
	for _, o := range outcomes {
		rows = append(rows, lab.Judge(o, byCase[o.Case], can))
	}
	return rows, strays
}

// newDemoLines is the stream's sink, but for text: there the case's name stands
// for the addresses.
func newDemoLines(w io.Writer, o output, k *keeper) *lineSink {
	s := newLineSink(w, o)
	if o == outputText {
		start := time.Now()
		s.encode = func(dst []byte, e *events.Event) []byte {
			dst = fmt.Appendf(dst, "%6.2fs  %-18s %-12s ", e.Time.Sub(start).Seconds(), k.names[e.Conn()], e.Kind)
			return events.AppendWords(dst, e)
		}
	}
	return s
}
