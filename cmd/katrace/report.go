// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/internal/recording"
	"katrace/internal/report"
)

const reportLong = `report sums up what happened: which connections died and of what, which
incidents there were, which peers were silent for how long and who recovered,
how long answers took, which keepalive settings were seen and what is wrong with
them, and what the recording does not hold.

It reads what katrace -o json or --log-file recorded: one FILE or several, which
are merged by time; - is standard input. What gzip or zstd compressed is read as
it is. Without a FILE it traces this host for --duration first.

The HTML is one file that needs no network and no script.`

const reportExample = `  katrace report night.json                        in text
  katrace report -o html night.json >night.html    with pictures, for a browser
  katrace report -o json web.json.gz db.json.zst   two hosts, for a program
  katrace report --port 5432 night.json            PostgreSQL's connections alone
  sudo katrace report --duration 10m               the next ten minutes on this host`

// reportOptions say what to report on, and how.
type reportOptions struct {
	streamOptions
	format string
}

func newReportCommand() *cobra.Command {
	o := reportOptions{format: "text"}
	o.load.Backend = loader.Auto
	cmd := &cobra.Command{
		Use:               "report [FILE]...",
		Short:             "Sum up what happened, from recordings or live",
		Long:              reportLong,
		Example:           reportExample,
		ValidArgsFunction: files,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd, args); err != nil {
				return err
			}
			o.debug, _ = cmd.Flags().GetBool("debug")
			o.filterWords = filterWords(cmd.Flags())
			return runReport(cmd.Context(), &o, args)
		},
	}
	addFilterFlags(cmd, groupShow, &o.filter)
	addFlags(cmd, groupAttach, attachFlag(&o.load.Backend), btfFlag(&o.load.BTF),
		flagSpec{name: "rtt", to: &o.load.ExactRTT, help: "exact round trips; looks at received segments while a probe is out"})
	o.names.register(cmd, groupShow)
	formats := []string{"text", "json", "html"}
	addFlags(cmd, groupOutput, flagSpec{name: "output", short: "o", to: choice(&o.format, formats), help: anyOf(formats), values: formats})
	addFlags(cmd, groupLimits,
		flagSpec{name: "duration", to: &o.duration, help: "without FILE: trace this host for so long, such as 30s or 10m (a bare number is seconds)"})
	return cmd
}

// validate holds the flags and the arguments against each other.
func (o *reportOptions) validate(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && o.duration == 0 {
		return usagef("report takes a FILE or more (- for standard input), or --duration to trace this host first")
	}
	if i := slices.Index(args, "-"); i >= 0 && slices.Contains(args[i+1:], "-") {
		return usagef("report takes standard input (-) once")
	}
	if len(args) > 0 {
		for _, name := range []string{"duration", "attach", "btf", "rtt", "pods", "names"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s with a FILE: it is for tracing this host", name)
			}
		}
	}
	if err := refuseNever(&o.filter); err != nil {
		return err
	}
	if err := needStdout(""); err != nil {
		return err
	}
	if len(args) == 0 {
		o.load.Filter = o.filter.Socket
		o.load.Closes = true
		return refuseMissing(&o.filter, &o.names, os.Stderr)
	}
	return nil
}

// runReport gathers, and writes the report: also of what was gathered until an
// error or an interruption.
func runReport(ctx context.Context, o *reportOptions, names []string) error {
	var r *report.Report
	var err error
	if len(names) > 0 {
		r, err = reportOf(ctx, o, names)
	} else {
		r, err = reportLive(ctx, o)
	}
	if r == nil {
		return err
	}
	r.Filters = report.Text(o.filterWords)
	var out bytes.Buffer
	write := map[string]func(io.Writer) error{"text": r.WriteText, "json": r.WriteJSON, "html": r.WriteHTML}[o.format]
	if err := write(&out); err != nil {
		return err
	}
	var writes writing
	to := writes.watch(os.Stdout)
	return errors.Join(err, untilBlocked(ctx, &writes, func(context.Context) error {
		if _, err := to.Write(out.Bytes()); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		return nil
	}))
}

// wantRecording is what to give in place of what was given.
const wantRecording = "want what katrace -o json or --log-file recorded"

// reportOf is the report of recordings.
func reportOf(ctx context.Context, o *reportOptions, names []string) (*report.Report, error) {
	in, err := recording.Open(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer in.Close()
	in.Damaged = func(name string, err error) {
		fmt.Fprintf(os.Stderr, "katrace: %s: %s\n", conn.Safe(name), conn.Safe(err.Error()))
	}
	g := report.NewGatherer(report.Options{Join: len(names) > 1})
	for n := 0; ; n++ {
		e, err := in.Next(ctx)
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return nil, fmt.Errorf("report %s: no event in it; %s", quoted(names), wantRecording)
		case errors.Is(err, io.EOF):
			err = nil
		case ctx.Err() != nil:
			err = nil
			fmt.Fprintln(os.Stderr, "katrace: interrupted: only what was read so far is summed up")
		case err != nil && n == 0:
			return nil, fmt.Errorf("report %w; %s", err, wantRecording)
		case err != nil:
			err = fmt.Errorf("report %w: only what comes before is summed up", err)
		}
		if e == nil {
			r := g.Report()
			r.Of(names, in)
			return r, err
		}
		if o.filter.Match(e) {
			_ = g.Event(e) // never fails
		} else {
			g.Other(e)
		}
	}
}

// quoted is names for an error.
func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(words, ", ")
}

// liveReport is a sink that wants closes too, for what is closed is not silent, and
// what is told of the tracing itself.
type liveReport struct {
	*report.Gatherer
	cover recording.Coverage
	host  string
}

// Event is of events.Sink.
func (l *liveReport) Event(e *events.Event) error {
	if e.Kind == events.KindStart {
		l.host = strings.Clone(e.Host)
	}
	l.cover.Add(e, l.host)
	return l.Gatherer.Event(e)
}

// Wants is of wanter.
func (l *liveReport) Wants(e *events.Event, matches bool) bool {
	return matches && (e.Kind == events.KindClosed || e.Kind.OfTracing())
}

// reportLive is the report of what this host does for a while.
func reportLive(ctx context.Context, o *reportOptions) (*report.Report, error) {
	noteCgroup(&o.filter)
	sink := &liveReport{Gatherer: report.NewGatherer(report.Options{})}
	s, err := openStream(o.streamOptions, sink)
	if err != nil {
		return nil, err
	}
	s.about.NotKnown &^= events.UnknownClosed // it wants them
	s.say = os.Stderr
	s.dropPrivileges(os.Stderr)
	fmt.Fprintf(os.Stderr, "katrace: %s; the report comes after %s\n", opening(s.tracer, o.debug), conn.Exact(o.duration))
	start := time.Now()
	ctx, cancel := o.limit(ctx)
	defer cancel()
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "katrace: %s\n", s.summary(time.Since(start)))
	r := sink.Report()
	r.Cover(&sink.cover)
	return r, nil
}
