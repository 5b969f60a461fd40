// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/muesli/cancelreader"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/tui"
)

func newReplayCommand() *cobra.Command {
	var o streamOptions
	var speed float64
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show a recorded JSON stream, in any output",
		Long: `replay shows what katrace -o json or --log-file recorded, as if it happened now.
FILE - is standard input. Damaged lines are skipped and counted; the first is
reported on stderr.`,
		Example: `  katrace replay night.json                the live view, at the recording's pace
  katrace replay --speed 60 night.json     an hour in a minute
  katrace replay -o text --dead night.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("replay takes one FILE (or - for standard input), not %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: files,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(speed >= 0) { // NaN as well
				return usagef("--speed %g: want 0 (at once) or more", speed)
			}
			if err := needStdout(""); err != nil {
				return err
			}
			if !cmd.Flags().Changed("speed") {
				speed = speedFor(term.IsTerminal(os.Stdout.Fd()))
			}
			out, err := chooseOutput(o.output)
			if err != nil {
				return err
			}
			if err := refuseNever(&o.filter); err != nil {
				return err
			}
			in := os.Stdin
			if args[0] != "-" {
				// Without O_NONBLOCK the opening of a FIFO waits for its writer.
				if in, err = os.OpenFile(args[0], os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
					return fmt.Errorf("replay: %w", err)
				}
				defer func() { _ = in.Close() }()
			}
			p := newPlayer(in, args[0], speed, o.filter)
			if out == outputTUI {
				return p.view(cmd.Context(), o.noColor, filterWords(cmd.Flags()))
			}
			return p.stream(cmd.Context(), out)
		},
	}
	addEventFlags(cmd, groupShow, &o.filter)
	o.registerOutput(cmd)
	addFlags(cmd, groupOutput,
		flagSpec{name: "speed", to: &speed, help: "times as fast as it happened; 0: at once (default: 1 on a terminal, else 0)"})
	return cmd
}

// speedFor is the speed where none is asked for: a person watches, a program does
// not wait.
func speedFor(terminal bool) float64 {
	if terminal {
		return 1
	}
	return 0
}

// player plays a recording at its speed.
type player struct {
	in     io.Reader
	name   string // safe for a terminal
	speed  float64
	filter events.Filter

	clock func() time.Time                     // time.Now
	sleep func(context.Context, time.Duration) // until then or ctx's end

	start time.Time    // when the first event was played
	first atomic.Int64 // its time in the recording, ns; 0: none yet
	last  atomic.Int64 // the latest event's time, ns

	played  int                    // events, wanted or not
	skipped atomic.Int64           // damaged lines
	damage  atomic.Pointer[string] // the first of them, in words
}

func newPlayer(in io.Reader, name string, speed float64, filter events.Filter) *player {
	return &player{in: in, name: conn.Safe(name), speed: speed, filter: filter, clock: time.Now, sleep: sleep}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// play hands the recording's events to the sink, each when it is its time, and
// the first damaged line to first.
func (p *player) play(ctx context.Context, sink events.Sink, first func(error)) error {
	input, release := cancelable(ctx, p.in)
	defer release()
	src := &source{ctx: ctx, in: input, sink: sink}
	in := events.NewReader(src)
	for ctx.Err() == nil {
		e, err := in.Next()
		var bad *events.LineError
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, cancelreader.ErrCanceled):
			if n := p.skipped.Load(); n > 0 && p.played == 0 && ctx.Err() == nil {
				return fmt.Errorf("replay %s: no line of a katrace stream (%s)", p.name, conn.Count(int(n), "damaged line"))
			}
			return sink.Flush()
		case errors.As(err, &bad):
			if p.skipped.Add(1) == 1 {
				first(bad)
			}
			continue
		case src.failed != nil:
			return src.failed
		case err != nil:
			return fmt.Errorf("replay %s: %w", p.name, err)
		}
		p.played++
		if err := p.wait(ctx, e.Time, sink); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break // its time has not come
		}
		p.last.Store(e.Time.UnixNano())
		to := sink.Event
		if !p.filter.Match(&e) {
			to = func(e *events.Event) error { return unasked(sink, e, false) }
		}
		if err := to(&e); err != nil {
			return err
		}
	}
	return sink.Flush()
}

// source is a recording that may still be written: what has been read of it is
// shown before more is waited for.
type source struct {
	ctx    context.Context
	in     io.Reader
	sink   events.Sink
	failed error // the sink's
}

func (s *source) Read(p []byte) (int, error) {
	if s.failed = s.sink.Flush(); s.failed != nil {
		return 0, s.failed
	}
	if s.ctx.Err() != nil { // a line without an end may take many reads
		return 0, cancelreader.ErrCanceled
	}
	return s.in.Read(p)
}

// cancelable is in, whose Read ends with ctx also while it waits for input.
func cancelable(ctx context.Context, in io.Reader) (_ io.Reader, release func()) {
	r, err := cancelreader.NewReader(in)
	if err != nil {
		return in, func() {} // a regular file, which epoll(7) does not take: reading never waits
	}
	stop := context.AfterFunc(ctx, func() { r.Cancel() })
	return r, func() {
		stop()
		_ = r.Close()
	}
}

// wait waits until the recording's time is at.
func (p *player) wait(ctx context.Context, at time.Time, sink events.Sink) error {
	if p.first.Load() == 0 {
		p.start = p.clock()
		p.first.Store(at.UnixNano())
	}
	if p.speed == 0 {
		return nil
	}
	pause := p.start.Add(time.Duration(float64(at.UnixNano()-p.first.Load()) / p.speed)).Sub(p.clock())
	if pause <= 0 {
		return nil
	}
	if err := sink.Flush(); err != nil {
		return err
	}
	p.sleep(ctx, pause)
	return nil
}

// now is the recording's clock. At once (speed 0) it is the latest event's time.
func (p *player) now() time.Time {
	first := p.first.Load()
	switch {
	case first == 0:
		return p.clock()
	case p.speed == 0:
		return time.Unix(0, p.last.Load())
	}
	return time.Unix(0, first).Add(time.Duration(float64(p.clock().Sub(p.start)) * p.speed))
}

func (p *player) stream(ctx context.Context, out output) error {
	var writes writing
	sink, say := tee{newLineSink(writes.watch(os.Stdout), out)}, writes.watch(os.Stderr)
	beside := besideText
	beside.Now = p.now
	store := tui.NewStore(beside)
	if out == outputText {
		sink = append(sink, store)
	}
	return untilInterrupted(ctx, &writes, func(ctx context.Context) error {
		err := p.play(ctx, sink, func(err error) { fmt.Fprintf(say, "katrace: %s: %v\n", p.name, err) })
		if n := p.skipped.Load(); n > 0 && err == nil {
			fmt.Fprintf(say, "katrace: %s: %s skipped\n", p.name, conn.Count(int(n), "damaged line"))
		}
		if err == nil {
			sayTogether(say, store)
		}
		return err
	})
}

// view plays the recording in the live view, whose clock is the recording's.
func (p *player) view(ctx context.Context, noColor bool, filter string) error {
	opt := tui.Options{Source: "replay of " + p.name, Recording: true, Filter: filter, NoColor: noColor, Now: p.now, Notice: p.notice}
	store := tui.NewStore(opt)
	err := besideView(ctx, func(ctx context.Context) error {
		return p.play(ctx, store, func(err error) {
			s := err.Error()
			p.damage.Store(&s)
		})
	}, store, opt)
	if err == nil {
		sayTogether(os.Stderr, store)
	}
	return err
}

func (p *player) notice() string {
	n := p.skipped.Load()
	if n == 0 {
		return ""
	}
	first := p.damage.Load()
	if first == nil {
		return "" // it is counted just now
	}
	return fmt.Sprintf("%s skipped, the first: %s", conn.Count(int(n), "damaged line"), conn.Safe(*first))
}
