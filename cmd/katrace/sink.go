// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"io"

	"katrace/internal/events"
)

// lineSink writes one line an event, by one of the encoders of package events.
// A write is of whole lines.
type lineSink struct {
	w      io.Writer
	encode func([]byte, *events.Event) []byte
	lines  []byte
	closes bool // takes closes that the filter passes, though nobody asked for them
	// recording: takes the lines about the tracing itself.
	recording bool
}

// manyLines is from how many bytes on lines are written at once.
const manyLines = 64 << 10

// newLineSink makes a sink for --output text or json. It buffers; the stream
// flushes it whenever it pauses.
func newLineSink(w io.Writer, o output) *lineSink {
	s := &lineSink{w: w, lines: make([]byte, 0, manyLines+4<<10)}
	switch o {
	case outputText:
		s.encode = new(events.Text).Append
	case outputJSON:
		s.encode = new(events.JSON).Append
	case outputTUI, outputNone: // the live view has a sink of its own, tui.Store
	}
	return s
}

func (s *lineSink) Event(e *events.Event) error {
	s.lines = append(s.encode(s.lines, e), '\n')
	if len(s.lines) < manyLines {
		return nil
	}
	return s.Flush()
}

func (s *lineSink) Flush() error {
	if len(s.lines) == 0 {
		return nil
	}
	_, err := s.w.Write(s.lines)
	s.lines = s.lines[:0]
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// wanter is a sink that wants events which the user did not ask for; matches
// says whether the filter passes the event.
type wanter interface {
	Wants(e *events.Event, matches bool) bool
}

// Wants is of wanter.
func (s *lineSink) Wants(e *events.Event, matches bool) bool {
	switch e.Kind {
	case events.KindStart, events.KindHeartbeat, events.KindStop:
		return s.recording
	default:
		return s.closes && matches && e.Kind == events.KindClosed
	}
}

// unasked hands an event that the user did not ask for to the sinks that want it,
// to all of them also where one fails.
func unasked(to events.Sink, e *events.Event, matches bool) (err error) {
	if all, ok := to.(tee); ok {
		for _, s := range all {
			err = errors.Join(err, unasked(s, e, matches))
		}
		return err
	}
	if w, ok := to.(wanter); ok && w.Wants(e, matches) {
		return to.Event(e)
	}
	if j, ok := to.(joiner); ok {
		j.Other(e)
	}
	return nil
}

// joiner is a sink that joins the two ends of connections: what the filter leaves
// out may be of the other end of what it lets through.
type joiner interface{ Other(*events.Event) }

// secondly is a sink that has something to do once a second, and at the end.
type secondly interface {
	Second(last bool) error
}

// second does what the sink has to do once a second.
func second(s events.Sink, last bool) error {
	if t, ok := s.(secondly); ok {
		return t.Second(last)
	}
	return nil
}

// tee is a sink that hands events to several.
type tee []events.Sink

func (t tee) Event(e *events.Event) error {
	for _, s := range t {
		if err := s.Event(e); err != nil {
			return err
		}
	}
	return nil
}

// Flush flushes all of them, also where one fails.
func (t tee) Flush() (err error) {
	for _, s := range t {
		err = errors.Join(err, s.Flush())
	}
	return err
}

// Second is of secondly.
func (t tee) Second(last bool) error {
	for _, s := range t {
		if err := second(s, last); err != nil {
			return err
		}
	}
	return nil
}
