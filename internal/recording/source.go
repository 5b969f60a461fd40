// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/muesli/cancelreader"

	"katrace/internal/events"
)

// A source is read by a goroutine of its own, in batches.
const (
	batchSize = 64 // events
	batches   = 3  // of a source: one is merged, one waits, one is filled
)

// item is an event of a source, or a damaged line, or what ended the source.
type item struct {
	event events.Event
	err   error
}

// batch is some items of a source.
type batch struct {
	items []item
	at    time.Time // when it was read
}

// source is one recording among those that are merged.
type source struct {
	*file
	in   chan *batch // closed at the end
	free chan *batch

	// Of the merging side.
	batch   *batch // nil: there is no next item yet
	next    int    // in it
	ended   bool
	heard   bool      // it gave a line
	missing time.Time // since when its next item is waited for; zero: it is not

	host    string    // by its latest start
	last    time.Time // of the event before
	latest  time.Time // of all its events
	damaged int
	first   error // the first damaged line
	unknown int
	newer   error // the first line of which something is not known
	back    int   // events that are much earlier than the one before
}

func newSource(f *file) *source {
	s := &source{file: f, in: make(chan *batch, batches), free: make(chan *batch, batches)}
	for range batches {
		s.free <- &batch{items: make([]item, 0, batchSize)}
	}
	return s
}

// read fills batches until the recording's end or ctx's. A batch is passed on when
// it is full, or when the next line is not there yet. notify is signalled then.
func (s *source) read(ctx context.Context, notify chan<- struct{}) {
	tell := func() {
		select {
		case notify <- struct{}{}:
		default: // it has been told already
		}
	}
	defer func() {
		close(s.in)
		tell()
	}()
	defer s.close()
	var b *batch
	pass := func() bool {
		if b == nil || len(b.items) == 0 {
			return true
		}
		b.at = time.Now()
		s.in <- b // has room for all batches
		b = nil
		tell()
		return ctx.Err() == nil
	}
	unpackedIn, release, err := unpacked(s.file.in)
	if err != nil {
		b = <-s.free
		b.items = append(b.items[:0], item{err: err})
		pass()
		return
	}
	defer release()
	in := newLines(unpackedIn)
	for {
		if b == nil {
			select {
			case b = <-s.free:
				b.items = b.items[:0]
			case <-ctx.Done():
				return
			}
		}
		b.items = b.items[:len(b.items)+1]
		it := &b.items[len(b.items)-1]
		it.event, it.err = in.next()
		var bad *LineError
		switch {
		case errors.Is(it.err, io.EOF), errors.Is(it.err, cancelreader.ErrCanceled):
			b.items = b.items[:len(b.items)-1]
			pass()
			return
		case it.err != nil && !errors.As(it.err, &bad):
			if errors.Is(it.err, io.ErrUnexpectedEOF) { // of compressed data: whoever wrote them was killed, or still writes
				it.err = &LineError{in.line + 1, errors.New("the compressed data are cut off here")}
			} else if in.line > 0 {
				it.err = fmt.Errorf("after line %d: %w", in.line, it.err)
			}
			pass()
			return
		}
		if (len(b.items) == batchSize || !in.pending()) && !pass() {
			return
		}
	}
}

// head is the source's next item; nil: there is none yet, or ever.
func (s *source) head() *item {
	for {
		if s.batch != nil {
			if s.next < len(s.batch.items) {
				return &s.batch.items[s.next]
			}
			s.free <- s.batch
			s.batch = nil
		}
		select {
		case b, ok := <-s.in:
			if !ok {
				s.ended = true
				return nil
			}
			s.batch, s.next, s.missing = b, 0, time.Time{}
		default:
			return nil
		}
	}
}

// arrived is when the next item was read.
func (s *source) arrived() time.Time { return s.batch.at }

func (s *source) advance() { s.next++ }
