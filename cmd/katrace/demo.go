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
	"katrace/internal/tui"
)

const demoLong = `demo stages connections in network namespaces of its own, and traces them by the
normal path: peers that answer, vanish, reboot or become unreachable, and what
only looks like that. At the end a table holds what katrace said against the
kernel's own counter (TcpExtTCPKeepAlive), a packet capture, and the error that
the application read. Exit status 1 if any of them disagree.

The namespaces have no names and go with the process: nothing is left behind.
It needs root.`

type demoOptions struct {
	attach  string
	output  string
	noColor bool
	cases   []string
	slack   time.Duration
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Stage connections with dead and living peers, and trace them",
		Long:  demoLong,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := chooseOutput(o.output)
			if err != nil {
				return err
			}
			backend, err := loader.ParseBackend(o.attach)
			if err != nil {
				return usagef("--attach: %w", err)
			}
			cases, err := lab.ByName(o.cases...)
			if err != nil {
				return usagef("--case: %w", err)
			}
			return runDemo(cmd.Context(), o, out, backend, cases)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.attach, "attach", "auto", "how to attach: auto, kprobe, fentry or tracepoint")
	f.StringVarP(&o.output, "output", "o", "", "tui, text, or json with the table on stderr (default: tui on a terminal, else text)")
	f.BoolVar(&o.noColor, "no-color", false, "no colours in the live view; so does NO_COLOR in the environment")
	f.StringSliceVar(&o.cases, "case", nil, "only these cases: "+strings.Join(lab.Names(), ", "))
	f.DurationVar(&o.slack, "slack", 0, "how late timers may be, for slow machines (default: the lab's own)")
	complete(cmd, "attach", "auto", "kprobe", "fentry", "tracepoint")
	complete(cmd, "output", "tui", "text", "json")
	complete(cmd, "case", lab.Names()...)
	return cmd
}

// errDisagree is returned when katrace and the kernel do not agree.
var errDisagree = errors.New("katrace and the kernel disagree, see the table")

func runDemo(ctx context.Context, o demoOptions, out output, backend loader.Backend, cases []lab.Case) error {
	if os.Geteuid() != 0 {
		return &loader.UnsupportedError{Doing: "stage connections", Err: errors.New("not root"), Hint: "try sudo"}
	}
	cases, err := possible(cases)
	if err != nil {
		return err
	}
	l, err := lab.Start(ctx, cases)
	if err != nil {
		return fmt.Errorf("stage the connections: %w", err)
	}
	defer func() { _ = l.Close() }()

	keep := newKeeper(l.Conns())
	view := viewOfKernel(o.noColor)
	view.Source = "demo"
	store := tui.NewStore(view)
	show := events.Sink(store)
	if out != outputTUI {
		show = newDemoLines(os.Stdout, out, keep)
	}
	keep.next = show
	s, err := openStream(streamOptions{load: loader.Options{Backend: backend, All: true}}, keep)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "katrace: %d connections staged, %s\n", len(cases), opening(s.tracer, false))

	var outcomes []lab.Outcome
	trace := func(ctx context.Context) (err error) {
		outcomes, err = traceDemo(ctx, l, s)
		return err
	}
	if out == outputTUI {
		view.Backend, view.Lacks = string(s.tracer.Backend), s.tracer.Lacks
		// Quitting early leaves the cases time to end: the table is about them all.
		err = besideView(ctx, func(context.Context) error { return trace(ctx) }, store, view)
	} else {
		err = trace(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "katrace: stopped before the cases ended")
			return nil
		}
		return err
	}
	facts := s.tracer.Backend.Facts()
	rows, strays := keep.judge(outcomes, lab.Backend{
		SendErrors: facts.SendErrors, ICMP: facts.ICMP, WindowProbes: facts.WindowProbes, TimerReasons: true, Slack: o.slack,
	})
	return reportDemo(out, rows, strays)
}

// possible leaves out the cases for which this kernel lacks something, and says so.
func possible(cases []lab.Case) (left []lab.Case, err error) {
	for _, c := range cases {
		err := c.Possible()
		switch {
		case err == nil:
			left = append(left, c)
		case !errors.Is(err, lab.ErrLacking) || len(cases) == 1:
			return nil, err
		default:
			fmt.Fprintf(os.Stderr, "katrace: left out: %v\n", err)
		}
	}
	return left, nil
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

func reportDemo(o output, rows []lab.Row, strays []events.Event) error {
	out := io.Writer(os.Stdout)
	if o == outputJSON {
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
