// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"katrace/internal/events"
	"katrace/internal/logfile"
)

// fileSink is the sink of --log-file. What was lost is in the file as soon as it
// takes lines again.
type fileSink struct {
	*lineSink
	file *logfile.File
	owed events.Event // KindLost that the file does not have yet; Kind 0: none
	line []byte
}

func newFileSink(o logfile.Options, writes *writing) (*fileSink, error) {
	f, err := logfile.Open(o)
	if err != nil {
		return nil, err
	}
	return &fileSink{lineSink: newLineSink(writes.watch(f), outputJSON), file: f}, nil
}

func (s *fileSink) Event(e *events.Event) error {
	if e.Kind != events.KindLost {
		return s.lineSink.Event(e)
	}
	before := s.owed
	if s.owed = *e; before.Kind != 0 {
		s.owed.Lost, s.owed.LeftOut = e.Lost.Plus(before.Lost), e.LeftOut+before.LeftOut
	}
	return s.pay()
}

// pay writes what is owed. A line of it that cannot be written is no line lost.
func (s *fileSink) pay() error {
	if s.owed.Kind == 0 {
		return nil
	}
	if err := s.lineSink.Flush(); err != nil { // what came before
		return err
	}
	s.line = append(s.encode(s.line[:0], &s.owed), '\n')
	if s.file.WriteLine(s.line) {
		s.owed = events.Event{}
	}
	return nil
}

// Flush also opens the file again where that was asked for.
func (s *fileSink) Flush() error {
	err := s.lineSink.Flush()
	if s.file.Asked() {
		s.file.Check()
	}
	return err
}

// Second is of secondly.
func (s *fileSink) Second(bool) error {
	if err := s.lineSink.Flush(); err != nil {
		return err
	}
	s.file.Check()
	return s.pay()
}
