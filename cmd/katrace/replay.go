// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/internal/events"
	"katrace/internal/recording"
	"katrace/internal/tui"
)

func newReplayCommand() *cobra.Command {
	var o streamOptions
	var speed float64
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Show recorded JSON streams, in any output",
		Long: `replay shows what katrace -o json or --log-file recorded, as if it happened now.
Several recordings are merged by time. FILE - is standard input. What gzip or
zstd compressed is read as it is. Damaged lines are skipped and counted; the
first is reported on stderr. So are events that a later version has written and
this one does not know.

A pipe may still be written while it is read. If it gives nothing, the others
are shown without it: after 10 seconds if it has given no line yet, else after
2.`,
		Example: `  katrace replay night.json                the live view, at the recording's pace
  katrace replay --speed 60 night.json     an hour in a minute
  katrace replay -o text --dead night.json
  katrace replay web.json.gz db.json.zst   two hosts, merged by time
  ssh web sudo katrace -o json --host web | katrace replay --speed 0 - <(ssh db sudo katrace -o json --host db)`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("replay takes a FILE or more (or - for standard input)")
			}
			if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
				return usagef("replay takes standard input (-) once")
			}
			return nil
		},
		ValidArgsFunction: files,
		RunE: func(cmd *cobra.Command, args []string) error {
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
			in, err := recording.Open(cmd.Context(), args)
			if err != nil {
				return fmt.Errorf("replay: %w", err)
			}
			defer in.Close()
			p := newPlayer(args, speed, o.filter)
			if out == outputTUI {
				return p.view(cmd.Context(), in, o.noColor, filterWords(cmd.Flags()))
			}
			return p.stream(cmd.Context(), in, out)
		},
	}
	addEventFlags(cmd, groupShow, &o.filter)
	o.registerOutput(cmd)
	addFlags(cmd, groupOutput,
		flagSpec{name: "speed", to: &value[float64]{to: &speed, parse: parseSpeed, kind: "number"}, help: "times as fast as it happened; 0: at once (default: 1 on a terminal, else 0)"})
	return cmd
}

func parseSpeed(in string) (float64, error) {
	speed, err := strconv.ParseFloat(in, 64)
	if err != nil || !(speed >= 0) { // NaN as well
		return 0, errors.New("want a number, 0 (at once) or more")
	}
	return speed, nil
}

// speedFor is the speed where none is asked for: a person watches, a program does
// not wait.
func speedFor(terminal bool) float64 {
	if terminal {
		return 1
	}
	return 0
}

// player plays recordings at their speed.
type player struct {
	names  []string
	speed  float64
	filter events.Filter
	// heartbeats are shown where nobody asked for them, too.
	heartbeats bool

	clock func() time.Time                     // time.Now
	sleep func(context.Context, time.Duration) // until then or ctx's end

	start time.Time    // when the first event was played
	first atomic.Int64 // its time in the recording, ns; 0: none yet
	last  atomic.Int64 // the latest event's time, ns

	trouble atomic.Pointer[string] // what is wrong with the recordings, in words
}

func newPlayer(names []string, speed float64, filter events.Filter) *player {
	return &player{names: names, speed: speed, filter: filter, heartbeats: true, clock: time.Now, sleep: sleep}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// title is the recordings' names, safe for a terminal.
func (p *player) title() string {
	if n := len(p.names); n > 2 {
		return conn.Safe(p.names[0]) + fmt.Sprintf(" and %d more", n-1)
	}
	return conn.Safe(strings.Join(p.names, " and "))
}

// play hands the recordings' events to the sink, each when it is its time.
func (p *player) play(ctx context.Context, in *recording.Reader, sink events.Sink) error {
	var failed error // the sink's
	in.Idle = func() error {
		p.note(in)
		failed = sink.Flush()
		return failed
	}
	for ctx.Err() == nil {
		e, err := in.Next(ctx)
		switch {
		case failed != nil:
			return failed
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			p.note(in)
			return sink.Flush()
		case err != nil:
			return errors.Join(sink.Flush(), fmt.Errorf("replay %w", err))
		}
		if err := p.wait(ctx, e.Time, sink); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break // its time has not come
		}
		p.last.Store(e.Time.UnixNano())
		to := sink.Event
		if !p.wants(e) {
			to = func(e *events.Event) error { return unasked(sink, e, false) }
		}
		if err := to(e); err != nil {
			return err
		}
	}
	return sink.Flush()
}

// wants says whether the event is to be shown.
func (p *player) wants(e *events.Event) bool {
	if e.Kind == events.KindHeartbeat && !p.heartbeats && e.Tracing.Asleep == 0 && e.Tracing.ClockSet == 0 {
		return false
	}
	return p.filter.Match(e)
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

func (p *player) stream(ctx context.Context, in *recording.Reader, out output) error {
	var writes writing
	sink, say := tee{newLineSink(writes.watch(os.Stdout), out)}, writes.watch(os.Stderr)
	beside := besideText
	beside.Now = p.now
	store := tui.NewStore(beside)
	if out == outputText {
		sink = append(sink, store)
	}
	in.Damaged = func(name string, err error) { fmt.Fprintf(say, "katrace: %s: %v\n", conn.Safe(name), err) }
	// A person asks what happened, not whether katrace was running.
	p.heartbeats = out != outputText || slices.Contains(p.filter.Kinds, events.KindHeartbeat)
	return untilInterrupted(ctx, &writes, func(ctx context.Context) error {
		err := p.play(ctx, in, sink)
		if err == nil {
			for _, trouble := range p.troubles(in) {
				fmt.Fprintf(say, "katrace: %s\n", troubleWords(trouble))
			}
		}
		if err == nil {
			sayTogether(say, store)
		}
		return err
	})
}

// view plays the recordings in the live view, whose clock is the recording's.
func (p *player) view(ctx context.Context, in *recording.Reader, noColor bool, filter string) error {
	opt := tui.Options{Source: "replay of " + p.title(), Recording: true, Hosts: len(p.names) > 1, Filter: filter, NoColor: noColor, Now: p.now, Notice: p.notice}
	store := tui.NewStore(opt)
	err := besideView(ctx, func(ctx context.Context) error {
		defer store.Finish()
		return p.play(ctx, in, store)
	}, store, opt)
	if err == nil {
		sayTogether(os.Stderr, store)
	}
	return err
}

// note keeps in words what is wrong with the recordings, for notice.
func (p *player) note(in *recording.Reader) {
	var words []string
	for _, t := range p.troubles(in) {
		s := troubleWords(t)
		if t.First != nil {
			s += ", the first: " + conn.Safe(t.First.Error())
		}
		words = append(words, s)
	}
	said := strings.Join(words, "; ")
	p.trouble.Store(&said)
}

func (p *player) notice() string {
	if s := p.trouble.Load(); s != nil {
		return *s
	}
	return ""
}

// troubles are what is wrong with the recordings. One alone is shown in its own
// order, whatever that is.
func (p *player) troubles(in *recording.Reader) (all []recording.Trouble) {
	for _, t := range in.Troubles() {
		if len(p.names) == 1 {
			t.Back = 0
		}
		if t.Damaged+t.Unknown+t.Back+t.Late > 0 {
			all = append(all, t)
		}
	}
	return all
}

// unknownWords say what a later version may have written.
func unknownWords(t *recording.Trouble) string {
	s := conn.Count(t.Unknown, "line") + " with an event or a word that is not known here"
	var unknown *enum.UnknownError
	if errors.As(t.Newer, &unknown) {
		s += ", the first: " + conn.Safe(unknown.Brief())
	}
	return s + " (such an event is skipped, such a word left out)"
}

func troubleWords(t recording.Trouble) string {
	var said []string
	if t.Damaged > 0 {
		said = append(said, conn.Count(t.Damaged, "damaged line")+" skipped")
	}
	if t.Unknown > 0 {
		said = append(said, unknownWords(&t))
	}
	if t.Back > 0 {
		said = append(said, fmt.Sprintf("not in order of time, in %s: lines of other recordings may be in the wrong place", conn.Count(t.Back, "place")))
	}
	if t.Late > 0 {
		said = append(said, conn.Count(t.Late, "event")+" came after later ones of other recordings were shown")
	}
	if t.Name == "" {
		return strings.Join(said, ", ")
	}
	return conn.Safe(t.Name) + ": " + strings.Join(said, ", ")
}
