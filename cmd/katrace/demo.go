// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
)

const demoLong = `demo stages connections in network namespaces of its own, and traces them by the
normal path: peers that answer, vanish, reboot or become unreachable, and what
only looks like that. At the end a table holds what katrace said against the
kernel's own counter (TcpExtTCPKeepAlive), a packet capture, and the error that
the application read. Exit status 1 if any of them disagree.

The namespaces have no names and go with the process: nothing is left behind.
It needs root.`

type demoOptions struct {
	attach string
	output string
	cases  []string
	slack  time.Duration
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Stage connections with dead and living peers, and trace them",
		Long:  demoLong,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.output != "text" && o.output != "json" {
				return usagef("--output %q: want text or json", o.output)
			}
			backend, err := loader.ParseBackend(o.attach)
			if err != nil {
				return usagef("--attach: %w", err)
			}
			cases, err := lab.ByName(o.cases...)
			if err != nil {
				return usagef("--case: %w", err)
			}
			return runDemo(cmd.Context(), o, backend, cases)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.attach, "attach", "auto", "how to attach: auto, kprobe, fentry or tracepoint")
	f.StringVarP(&o.output, "output", "o", "text", "text or json (then the table goes to stderr)")
	f.StringSliceVar(&o.cases, "case", nil, "only these cases: "+strings.Join(lab.Names(), ", "))
	f.DurationVar(&o.slack, "slack", 0, "how late timers may be, for slow machines (default: the lab's own)")
	_ = cmd.RegisterFlagCompletionFunc("case", cobra.FixedCompletions(lab.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// errDisagree is returned when katrace and the kernel do not agree.
var errDisagree = errors.New("katrace and the kernel disagree, see the table")

func runDemo(ctx context.Context, o demoOptions, backend loader.Backend, cases []lab.Case) error {
	if os.Geteuid() != 0 {
		return &loader.UnsupportedError{Doing: "stage connections", Err: errors.New("not root"), Hint: "try sudo"}
	}
	l, err := lab.Start(ctx, cases)
	if err != nil {
		return fmt.Errorf("stage the connections: %w", err)
	}
	defer func() { _ = l.Close() }()

	w := newDemoSink(os.Stdout, o.output, l.Conns())
	s, err := openStream(streamOptions{load: loader.Options{Backend: backend, All: true}}, w)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "katrace: %d connections staged, %s\n", len(cases), opening(s.tracer, false))

	outcomes, err := traceDemo(ctx, l, s)
	if err != nil {
		return err
	}
	rows, strays := w.judge(outcomes, lab.Backend{
		SendErrors: s.tracer.Backend.Facts().SendErrors, ICMP: s.tracer.Backend.Facts().ICMP,
		WindowProbes: s.tracer.Backend.Facts().WindowProbes, TimerReasons: true, Slack: o.slack,
	})
	return reportDemo(o, rows, strays)
}

// traceDemo plays the lab's cases while the stream runs.
func traceDemo(ctx context.Context, l *lab.Lab, s *stream) ([]lab.Outcome, error) {
	streamCtx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	var streamErr error
	wg.Go(func() { streamErr = s.run(streamCtx) })

	err := l.Begin()
	var outcomes []lab.Outcome
	if err == nil {
		outcomes, err = l.Wait(ctx)
	}
	stop()
	wg.Wait()
	return outcomes, errors.Join(err, streamErr)
}

func reportDemo(o demoOptions, rows []lab.Row, strays []events.Event) error {
	out := io.Writer(os.Stdout)
	if o.output == "json" {
		out = os.Stderr
	}
	agreed := 0
	for _, r := range rows {
		if r.Agrees {
			agreed++
		}
	}
	if _, err := fmt.Fprintf(out, "\n%s\n%d of %d agree\n", lab.Table(rows, 100), agreed, len(rows)); err != nil {
		return err
	}
	for i := range strays {
		fmt.Fprintf(out, "unexpected: %s\n", events.AppendText(nil, &strays[i]))
	}
	if agreed < len(rows) || len(strays) > 0 {
		return errDisagree
	}
	return nil
}

// demoSink shows the events of the staged connections, and keeps them for the
// judgement.
type demoSink struct {
	line  *lineSink
	conns []lab.Conn
	names map[events.Conn]string
	start time.Time
	kept  []events.Event
}

func newDemoSink(w io.Writer, output string, conns []lab.Conn) *demoSink {
	d := &demoSink{line: newLineSink(w, output), conns: conns, names: map[events.Conn]string{}, start: time.Now()}
	for _, c := range conns {
		d.names[c.Conn] = c.Case
	}
	if output == "text" {
		d.line.encode = d.appendLine
	}
	return d
}

func (d *demoSink) Event(e *events.Event) error {
	if e.Kind != events.KindLost {
		d.kept = append(d.kept, *e)
		if d.names[e.Conn()] == "" {
			return nil // somebody else's
		}
	}
	return d.line.Event(e)
}

func (d *demoSink) Flush() error { return d.line.Flush() }

// appendLine is a shorter text line: the case's name instead of addresses.
func (d *demoSink) appendLine(dst []byte, e *events.Event) []byte {
	dst = fmt.Appendf(dst, "%6.2fs  %-18s %-12s ", e.Time.Sub(d.start).Seconds(), d.names[e.Conn()], e.Kind)
	return events.AppendWords(dst, e)
}

// judge holds the events kept against the outcomes.
func (d *demoSink) judge(outcomes []lab.Outcome, can lab.Backend) (rows []lab.Row, strays []events.Event) {
	byCase, strays := lab.Sort(d.kept, d.conns)
	for _, o := range outcomes {
		rows = append(rows, lab.Judge(o, byCase[o.Case], can))
	}
	return rows, strays
}
