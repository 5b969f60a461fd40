// SPDX-License-Identifier: BSD-2-Clause

// Package recording reads what katrace recorded (-o json, --log-file): one file or
// several, merged by time, compressed or not, complete or still being written. It
// counts damaged lines, and says when what host was recorded.
package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/internal/events"
)

// How long the merge waits for a pipe that gives nothing, while others have an
// event that may come after what is going to be in it. Files are waited for
// however long they take.
const (
	// firstWait is for its first line: a program has to start, a person to give a
	// password.
	firstWait = 10 * time.Second
	// laterWait is for a line after the first, and how late events of the others
	// may be shown for it.
	laterWait = 2 * time.Second
)

// backwards is by how much an event has to be earlier than the one before it in
// the same recording to be counted as out of order. CPUs note their events
// side by side, and one may wait for its owner.
const backwards = time.Second

// Reader reads recordings, merged by time. Within each the order stays as it is.
// Not safe for concurrent use.
type Reader struct {
	// Idle is called before the Reader waits for input: what has been read is to be
	// shown now. nil: nobody is told.
	Idle func() error
	// Damaged is called for the first damaged line of each recording; nil: nobody is
	// told.
	Damaged func(name string, err error)

	now     func() time.Time // time.Now
	sources []*source
	notify  chan struct{}
	cancel  context.CancelFunc
	current *source // whose event was returned last

	hosts map[string]string // the first maxHosts that were seen, once each
	names bool              // lines without a host get that of their recording
	cover Coverage

	read   int
	late   int // events that came after a later one was returned
	latest time.Time
}

// Open opens recordings; "-" is standard input. Reading ends with ctx. The same
// one twice, also by another name, is an error.
func Open(ctx context.Context, names []string) (*Reader, error) {
	var files []*file
	for _, name := range names {
		f, err := openFile(ctx, name)
		if err == nil {
			if i := slices.IndexFunc(files, f.same); i >= 0 {
				err = fmt.Errorf("%q is the same recording as %q: give it once, or it counts twice", name, files[i].name)
				f.close()
			}
		}
		if err != nil {
			for _, f := range files {
				f.close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return open(ctx, files), nil
}

// Of reads one recording from in.
func Of(ctx context.Context, name string, in io.Reader) *Reader {
	return open(ctx, []*file{{name: name, in: in, close: func() {}}})
}

func open(ctx context.Context, files []*file) *Reader {
	r := &Reader{now: time.Now, notify: make(chan struct{}, 1), hosts: map[string]string{}}
	ctx, r.cancel = context.WithCancel(ctx)
	for _, f := range files {
		s := newSource(f)
		r.sources = append(r.sources, s)
		go s.read(ctx, r.notify)
	}
	return r
}

// Close ends the reading. Where a pipe cannot be interrupted it does not wait.
func (r *Reader) Close() { r.cancel() }

// Next returns the next event of all recordings, which is valid until the next
// call; io.EOF after the last one, ctx's error at its end.
func (r *Reader) Next(ctx context.Context) (*events.Event, error) {
	if r.current != nil {
		r.current.advance()
		r.current = nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, until, err := r.choose()
		switch {
		case err != nil:
			return nil, err
		case s != nil:
			return r.take(s), nil
		}
		if err := r.wait(ctx, until); err != nil {
			return nil, err
		}
	}
}

// choose finds the recording whose event is next. nil: something has to be waited
// for, until then at the latest (the zero time: however long it takes).
func (r *Reader) choose() (first *source, until time.Time, err error) {
	open := 0
	for _, s := range r.sources {
		it, err := r.readable(s)
		switch {
		case err != nil:
			return nil, until, err
		case s.ended:
			continue
		}
		if open++; it != nil && (first == nil || it.event.Time.Before(first.head().event.Time)) {
			first = s
		}
	}
	if open == 0 {
		return nil, until, r.end()
	}
	if first == nil {
		return nil, until, nil
	}
	now, at := r.now(), first.head().event.Time
	for _, s := range r.sources {
		if s.ended || s.batch != nil || s.heard && !s.last.Before(at) { // head could give what came after the choice
			continue
		}
		if !s.waits {
			return nil, time.Time{}, nil
		}
		if s.missing.IsZero() {
			s.missing = now
		}
		patience := firstWait
		if s.heard {
			patience = laterWait
		}
		for _, limit := range [...]time.Time{s.missing.Add(patience), first.arrived().Add(laterWait)} {
			if limit.After(until) {
				until = limit
			}
		}
	}
	if now.Before(until) {
		return nil, until, nil
	}
	return first, until, nil
}

// readable is the source's next event that can be read; an error is not of a line, but
// of the whole recording.
func (r *Reader) readable(s *source) (*item, error) {
	for {
		it := s.head()
		var bad *LineError
		switch {
		case it == nil || it.err == nil:
			return it, nil
		case !errors.As(it.err, &bad):
			return nil, fmt.Errorf("%s: %w", s.name, it.err)
		case errors.As(it.err, new(*enum.UnknownError)):
			if s.unknown++; s.unknown == 1 {
				s.newer = it.err
			}
			if it.err = nil; it.event.Kind == 0 {
				s.advance()
				continue
			}
			return it, nil
		}
		if s.damaged++; s.damaged == 1 {
			s.first = it.err
			if r.Damaged != nil {
				r.Damaged(s.name, it.err)
			}
		}
		s.advance()
	}
}

// take is the source's next event, told apart by its host.
func (r *Reader) take(s *source) *events.Event {
	r.current = s
	e := &s.head().event
	r.read++
	if e.Host != "" {
		e.Host = r.host(e.Host)
	}
	if e.Kind == events.KindStart {
		s.host = e.Host
	}
	if !s.heard && len(r.sources) > 1 && !r.names {
		r.peekHosts()
	}
	r.cover.add(e, s.host, e.Kind == events.KindStart && r.beside(s))
	if r.names && e.Host == "" {
		e.Host = s.host
	}
	if s.heard && s.last.Sub(e.Time) > backwards {
		s.back++
	}
	if r.latest.Sub(e.Time) > backwards && !s.latest.After(e.Time) {
		r.late++
	}
	s.heard, s.last = true, e.Time
	if e.Time.After(s.latest) {
		s.latest = e.Time
	}
	if e.Time.After(r.latest) {
		r.latest = e.Time
	}
	return e
}

// beside says that another recording of the same host goes on: its next line, which
// a pipe may not have given yet, is of a tracing that began before.
func (r *Reader) beside(s *source) bool {
	return slices.ContainsFunc(r.sources, func(o *source) bool {
		if o == s || o.host != s.host || o.ended {
			return false
		}
		return o.batch == nil || o.head().event.Kind != events.KindStart
	})
}

// peekHosts looks which hosts the next lines name, so that from the first line on
// all have their host if there are several.
func (r *Reader) peekHosts() {
	for _, s := range r.sources {
		if it := s.head(); it != nil && it.err == nil && it.event.Host != "" {
			r.host(it.event.Host)
		}
	}
}

// host is the name, the same string for all lines that have it.
func (r *Reader) host(name string) string {
	known, ok := r.hosts[name]
	switch {
	case ok:
		return known
	case len(r.hosts) < maxHosts:
		r.hosts[name] = name
		r.names = len(r.sources) > 1 && len(r.hosts) > 1
	}
	return name
}

// wait waits for input, until then if that is a time.
func (r *Reader) wait(ctx context.Context, until time.Time) error {
	if r.Idle != nil {
		if err := r.Idle(); err != nil {
			return err
		}
	}
	var over <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(until.Sub(r.now()))
		defer t.Stop()
		over = t.C
	}
	select {
	case <-r.notify:
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// end is io.EOF, or an error where no line of all was one of a katrace stream.
func (r *Reader) end() error {
	damaged, unknown := 0, 0
	var names []string
	for _, s := range r.sources {
		damaged += s.damaged
		unknown += s.unknown
		names = append(names, s.name)
	}
	if damaged > 0 && r.read+unknown == 0 {
		return fmt.Errorf("%s: no line of a katrace stream (%s)", strings.Join(names, ", "), conn.Count(damaged, "damaged line"))
	}
	r.cover.Finish()
	return io.EOF
}

// Coverage says when which hosts were recorded, as far as has been read.
func (r *Reader) Coverage() *Coverage { return &r.cover }

// Trouble is what a recording, or the merging of several, leaves wanting.
type Trouble struct {
	Name    string // of the recording; "": of the merging
	Damaged int    // lines that are skipped
	First   error  // the first of them
	Unknown int    // lines with an event, by which they are skipped, or a word that this version does not know
	Newer   error  // the first of them; it wraps an *enum.UnknownError
	Back    int    // events that are a second or more earlier than the one before
	Late    int    // with no Name: events that came when later ones had been returned
}

// Troubles lists what is wrong so far.
func (r *Reader) Troubles() (all []Trouble) {
	for _, s := range r.sources {
		if s.damaged > 0 || s.back > 0 || s.unknown > 0 {
			all = append(all, Trouble{Name: s.name, Damaged: s.damaged, First: s.first, Unknown: s.unknown, Newer: s.newer, Back: s.back})
		}
	}
	if r.late > 0 {
		all = append(all, Trouble{Late: r.late})
	}
	return all
}
