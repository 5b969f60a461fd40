// SPDX-License-Identifier: BSD-2-Clause

package main

import (
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
	"katrace/internal/contained"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
	"katrace/internal/tui"
)

const demoLong = `demo stages connections in network namespaces of its own, and traces them by the
normal path: peers that answer, vanish, forget the connection or become
unreachable, and what only looks like that. Without --case these are the ten
cases that matter most; --case all stages every one. At the end a table holds
what katrace said against the kernel's own counter (TcpExtTCPKeepAlive), a
packet capture, and the error that the application read. Exit status 1 if any of
them disagree.

A case that disagrees is staged again where katrace reported that this kernel
ran no program for a firing meanwhile, or where the machine was too busy to
stage it.

The namespaces have no names and go with the process: nothing is left behind.
It needs root.`

// mainCases are what a newcomer gets to see: the four states of a peer, then who
// else ends a connection, or seems to.
var mainCases = []string{
	"alive", "vanished", "forgotten", "unreachable",
	"recovers",            // given up too early?
	"user-timeout",        // why is KEEPCNT ignored?
	"data-user-timeout",   // why is there no probe?
	"window-user-timeout", // the same: the peer does not read
	"idle-abort",          // it was not keepalive
	"answers-dropped",     // it was not the network
}

// allCases stands for every case.
const allCases = "all"

type demoOptions struct {
	attach  loader.Backend
	output  output
	noColor bool
	cases   []string // none: mainCases
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
			return runDemo(cmd.Context(), o, out)
		},
	}
	o.attach = loader.Auto
	addFlags(cmd, groupShow,
		flagSpec{name: "case", to: listOf(&o.cases, parseCase), help: "only these cases: all, or " + strings.Join(lab.Names(), ", ") +
			" (default: " + strings.Join(mainCases, ",") + ")", values: append([]string{allCases}, lab.Names()...)})
	addFlags(cmd, groupAttach, attachFlag(&o.attach))
	addFlags(cmd, groupOutput,
		outputFlag(&o.output, "; json with the table on stderr"+outputDefault, outputNames()...), noColorFlag(&o.noColor))
	addFlags(cmd, groupLimits,
		flagSpec{name: "slack", to: &o.slack, help: "tolerance when comparing times; raise it on slow machines (default: the lab's own)"})
	return cmd
}

func parseCase(name string) (string, error) {
	if name == allCases {
		return name, nil
	}
	_, err := lab.ByName(name)
	return name, err
}

// chosenCases are those that the flag names.
func chosenCases(names []string) ([]lab.Case, error) {
	switch {
	case len(names) == 0:
		names = mainCases
	case slices.Contains(names, allCases):
		names = nil
	}
	return lab.ByName(names...)
}

// errDisagree is returned when katrace and the kernel do not agree.
var errDisagree = errors.New("katrace and the kernel disagree, see the table")

func runDemo(ctx context.Context, o demoOptions, out output) error {
	if os.Geteuid() != 0 {
		return &loader.UnsupportedError{Doing: "stage connections", Err: errors.New("not root"), Hint: contained.Remedy()}
	}
	cases, err := chosenCases(o.cases)
	if err != nil {
		return err
	}
	cases, err = possible(cases)
	if err != nil {
		return err
	}
	d := &demo{
		options: streamOptions{load: loader.Options{Backend: o.attach, All: true}},
		names:   map[conn.ID]string{}, rows: map[string]lab.Row{},
	}
	var said strings.Builder // while the terminal is the view's
	view := viewOfKernel(o.noColor)
	view.Source = "demo"
	store := tui.NewStore(view)
	if d.show = store; out != outputTUI {
		d.show = newDemoLines(os.Stdout, out, d.names)
	}
	d.say = func(format string, args ...any) {
		to := io.Writer(os.Stderr)
		if out == outputTUI {
			to = &said
		}
		fmt.Fprintf(to, "katrace: "+format+"\n", args...)
	}
	first, err := d.stage(ctx, cases)
	if err != nil {
		return err
	}
	defer func() { _ = first.lab.Close() }()
	tracer := first.stream.tracer
	d.can = knows(tracer.Facts)
	d.can.Slack = o.slack
	fmt.Fprintf(os.Stderr, "katrace: %s staged, %s\n", conn.Count(len(cases), "connection"), opening(tracer, false))

	if out == outputTUI {
		view.Backend, view.Lacks = string(tracer.Backend), tracer.Lacks
		// Quitting early leaves the cases time to end: the table is about them all.
		err = besideView(ctx, func(context.Context) error { return d.rounds(ctx, first, cases) }, store, view)
	} else {
		err = d.rounds(ctx, first, cases)
	}
	fmt.Fprint(os.Stderr, said.String())
	if err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "katrace: stopped before the cases ended")
			return nil
		}
		return err
	}
	err = d.report(out, cases)
	if len(o.cases) == 0 {
		fmt.Fprintf(os.Stderr, "katrace: %d more cases: katrace demo --case all\n", len(lab.Names())-len(mainCases))
	}
	return err
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

// report writes the table, and says whether all agree.
func (d *demo) report(o output, cases []lab.Case) error {
	out := io.Writer(os.Stdout)
	if o == outputJSON {
		out = os.Stderr
	}
	var rows []lab.Row
	for _, c := range cases {
		rows = append(rows, d.rows[c.Name])
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
	for i := range d.strays {
		fmt.Fprintf(out, "unexpected: %s\n", events.AppendText(nil, &d.strays[i]))
	}
	if agreed < len(rows) || len(d.strays) > 0 {
		return errDisagree
	}
	return nil
}
