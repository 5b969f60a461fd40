// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
	"katrace/internal/owner"
	"katrace/internal/tui"
)

// stream brings records from the kernel to a sink until its context ends.
type stream struct {
	tracer  *loader.Tracer
	tracker *events.Tracker
	filter  events.Filter
	sink    events.Sink
	host    string         // the key of each line; "": none
	about   events.Tracing // of its beginning
	beat    heartbeat
	limit   uint64 // events, 0: none
	all     bool   // tell events that needsAll
	owners  ownerFinder
	names   *owner.Names
	held    holdBack // events that wait for their owner
	pace    pace
	owned   owned // whose each connection was
	last    lastOwner
	now     time.Time // read once for many records
	review  review

	told     uint64        // events that reached the sink, lost ones not counted
	reported loader.Lost   // what KindLost events have told so far
	leftOut  uint64        // events that a filter by owner dropped because theirs was not known
	leftTold uint64        // of these, what KindLost events have told
	leftDue  time.Time     // none tells of these alone before
	clockSet time.Duration // by how much the wall clock was set under way, in all
	late     string        // whose names of containers are; "": nobody's
	say      io.Writer     // where to say it at once, nil: in the summary only
	disk     func() uint64 // lines that the log file did not take, nil: there is none
	verdicts bool          // the kernel's side counts connections by their verdict
	secondly []func()      // called once a second
	lost     events.Event
}

// ownerFinder is owner.Resolver.
type ownerFinder interface {
	Fill(e *events.Event, at time.Time) (asked bool)
	Hurry(within time.Duration) bool
	Close()
}

// errLimit ends the stream when enough events are told.
var errLimit = errors.New("enough events")

// yieldAfter is how long the loop works at a time. Of a goroutine that works for 10 ms the
// runtime's monitor takes the processor, by a signal or in its next system call, and then
// looks every 20 µs for another one to take it from. In a storm of packets each of these
// interrupts is one more at whose end the kernel has this process do the packets' work.
const yieldAfter = 4 * time.Millisecond

// tick is how often losses are looked for and the wall clock is read again.
const tick = time.Second

// openStream attaches; the stream begins with run.
func openStream(o streamOptions, sink events.Sink) (*stream, error) {
	hz, err := jiffies.Read()
	if err != nil {
		return nil, err
	}
	tracer, err := loader.Open(o.load)
	if err != nil {
		return nil, err
	}
	if err := lacking(o.filter.Kinds, tracer.Backend, tracer.Facts); err != nil {
		tracer.Close()
		return nil, &loader.UnsupportedError{Doing: "--event " + join(o.filter.Kinds), Err: err}
	}
	tracker := events.NewTracker(hz.Tick())
	tracker.NameDrops(tracer)
	tracker.Limit(tracer.FollowSize())
	names := o.names.open()
	return &stream{
		tracer: tracer, tracker: tracker, names: names, owners: owner.New(owner.Options{Scanned: tracer.Wake, Names: names}),
		filter: o.filter, sink: sink, limit: uint64(o.count), all: o.load.All,
		host: o.host, about: o.tracing(tracer), verdicts: o.countsVerdicts(), review: review{tracer: tracer, tracker: tracker},
	}, nil
}

// tracing is what a recording says of itself at its beginning.
func (o *streamOptions) tracing(t *loader.Tracer) events.Tracing {
	unknown := events.ParseUnknown(t.Unknown()) | events.LeftOutBy(&o.filter)
	if !o.load.All {
		unknown |= events.UnknownWindowProbe
	}
	if !o.load.All && (!o.load.Closes || o.log.Path == "") {
		unknown |= events.UnknownClosed
	}
	return events.Tracing{Kernel: kernelRelease(), Backend: string(t.Backend), Version: versionString(), Filters: o.filterWords, NotKnown: unknown}
}

// run streams until ctx ends or the limit is reached; both are no error. What
// the kernel recorded before that is still told.
func (s *stream) run(ctx context.Context) error {
	defer s.tracer.Close()
	defer s.owners.Close() // before: it wakes the tracer
	defer s.review.close()
	defer context.AfterFunc(ctx, s.tracer.Wake)()

	// What loading took is several times what is needed from here on.
	loader.Forget()
	giveBack()
	defer time.AfterFunc(giveBackAgain, giveBack).Stop()

	err := s.begin(s.tracer.Began, s.about)
	if err == nil {
		err = s.loop(ctx)
	}
	if err == nil {
		err = s.release(time.Time{})
	}
	if err == nil || errors.Is(err, errLimit) {
		err = cmp.Or(s.finish(), err)
	}
	// Where one output failed, the others learn that it is over.
	ended, flushed := s.end(ctx, err), s.sink.Flush()
	if err == nil || errors.Is(err, errLimit) {
		err = cmp.Or(ended, flushed)
	}
	return err
}

// finish writes what is left, and tells what was lost.
func (s *stream) finish() error {
	if err := s.sink.Flush(); err != nil { // what that loses is reported as well
		return err
	}
	if err := s.reportLost(time.Time{}); err != nil {
		return err
	}
	return second(s.sink, true)
}

func (s *stream) loop(ctx context.Context) error {
	var (
		rec     loader.Record
		stopped bool
		since   = time.Now() // works without a pause
		next    = since.Add(tick)
	)
	s.now = since
	s.tracer.SetDeadline(next)
	for n := 0; ; n++ {
		waits := !s.tracer.Pending()
		err := s.tracer.Read(&rec)
		if waits {
			s.now = time.Now()
			since = s.now
		}
		switch {
		case err == nil:
			if err := s.tracker.Record(&rec, s.tell); err != nil {
				return err
			}
			if n%256 != 0 && s.tracer.Pending() {
				continue // in the thick of it the clock is not asked for every record
			}
		case errors.Is(err, loader.ErrFlushed):
			if stopped {
				return nil
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		if ctx.Err() != nil && !stopped {
			stopped = true
			s.tracer.Stop()
			s.tracer.SetDeadline(time.Time{})
			continue
		}
		now := time.Now()
		s.now = now
		if now.Sub(since) > yieldAfter && s.tracer.Pending() {
			since = now
			runtime.Gosched()
		}
		if !stopped && !now.Before(next) {
			next = now.Add(tick)
			s.pace.tick()
			s.noteClock(s.tracker.SetClock())
			s.noteNames(s.names.Hanging())
			if err := cmp.Or(s.reportLost(now), s.beatIfDue(now)); err != nil {
				return err
			}
			if err := second(s.sink, false); err != nil {
				return err
			}
			s.review.second(now, &s.reported)
			for _, f := range s.secondly {
				f()
			}
		}
		if err := s.release(now); err != nil {
			return err
		}
		if !s.tracer.Pending() {
			if err := s.sink.Flush(); err != nil {
				return err
			}
		}
		if !stopped {
			s.tracer.SetDeadline(s.held.wakeAt(next))
		}
	}
}

// pass hands an event to the sink if the user wants it.
func (s *stream) pass(e *events.Event) error {
	if s.host != "" {
		e.Host = s.host
	}
	switch e.Kind {
	case events.KindLost:
		return s.sink.Event(e)
	case events.KindStart, events.KindHeartbeat, events.KindStop:
		return unasked(s.sink, e, true)
	default: // of a connection
	}
	matches := s.judge(e)
	if !matches || needsAll(e.Kind) && !s.all {
		return unasked(s.sink, e, matches)
	}
	if e.Kind == events.KindEnabled && e.Has&events.HasDoer == 0 {
		e.Process = conn.Process{} // the holder, by which it was judged, did not do it
		if e.HeldBy != conn.HeldByKernel {
			e.HeldBy = 0
		}
	}
	if err := s.sink.Event(e); err != nil {
		return err
	}
	s.told++
	if s.told == s.limit {
		return errLimit
	}
	return nil
}

// reportLost tells of what was lost since it was last asked.
func (s *stream) reportLost(now time.Time) error {
	lost, err := s.tracer.Lost()
	if err != nil {
		return err
	}
	lost.Follow += s.tracker.Evicted()
	if s.disk != nil {
		lost.Disk = s.disk()
	}
	return s.tellLost(lost, now)
}

// leftOutEvery is how often a line may tell of events that were left out, and of nothing
// else: beside a container without a name some are in every second.
const leftOutEvery = events.HeartbeatEvery

// tellLost takes all that was lost by now; the zero time: it tells of all that it has
// not told.
func (s *stream) tellLost(lost loader.Lost, now time.Time) error {
	was, leftOut := s.reported, s.leftOut-s.leftTold
	if lost == was && (leftOut == 0 || now.Before(s.leftDue) && !now.IsZero()) {
		return nil
	}
	s.lost = events.Event{Time: time.Now().UTC(), Kind: events.KindLost, Lost: lost.Since(was), LeftOut: leftOut}
	if s.reported, s.leftTold = lost, s.leftOut; leftOut > 0 {
		s.leftDue = now.Add(leftOutEvery)
	}
	if !s.held.empty() {
		s.held.add(&s.lost, false)
		return nil
	}
	return s.pass(&s.lost)
}

// runStream is katrace without a subcommand.
func runStream(ctx context.Context, o streamOptions) error {
	noteCgroup(&o.filter)
	var writes writing
	var lines tee
	var log *fileSink
	if o.log.Path != "" {
		if o.output != outputTUI { // the terminal is the view's, which shows what is lost
			o.log.Say = os.Stderr
		}
		var err error
		if log, err = newFileSink(o.log, &writes); err != nil {
			return fmt.Errorf("--log-file: %w", err)
		}
		defer func() { _ = log.file.Close() }()
		log.recording = true
		log.closes = o.output == outputTUI // a replay of it loses the rows that the view loses
		lines = append(lines, log)
	}
	if o.output == outputText || o.output == outputJSON {
		out := newLineSink(writes.watch(os.Stdout), o.output)
		out.recording = o.output == outputJSON
		lines = append(lines, out)
	}
	var sinks tee
	for _, s := range lines {
		if o.maxRate > 0 {
			s = newLimiter(s, o.maxRate)
		}
		sinks = append(sinks, s)
	}
	if o.output == outputTUI {
		return runLive(ctx, o, sinks, log, &writes)
	}
	var store *tui.Store
	if o.output == outputText { // a person reads it: says at the end what goes together
		store = tui.NewStore(besideText)
		sinks, o.load.Closes = append(sinks, store), true
	}
	s, err := openStream(o, sinks)
	if err != nil {
		return err
	}
	s.say = os.Stderr
	defer s.attend(log)()
	measured, err := s.measure(ctx, &o)
	if err != nil {
		s.tracer.Close()
		return err
	}
	s.dropPrivileges(os.Stderr)
	fmt.Fprintf(os.Stderr, "katrace: %s\n", opening(s.tracer, o.debug))
	s.ready()
	thrifty()
	start := time.Now()
	ctx, cancel := o.limit(ctx)
	defer cancel()
	if err := untilBlocked(ctx, &writes, measured.beside(s.run)); err != nil {
		return err
	}
	if store != nil {
		sayTogether(os.Stderr, store)
	}
	fmt.Fprintf(os.Stderr, "katrace: %s\n", s.summary(time.Since(start)))
	return nil
}

// limit ends the context after --duration, which counts from attaching on.
func (o *streamOptions) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.duration == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, o.duration)
}
