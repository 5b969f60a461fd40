// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
)

// demo stages cases, traces them by the normal path and keeps what came of it.
type demo struct {
	options streamOptions
	can     lab.Backend
	show    events.Sink        // gets the events of the staged connections
	names   map[conn.ID]string // of these, whenever they were staged
	say     func(format string, args ...any)

	rows   map[string]lab.Row // by case: of its last staging
	strays []events.Event
}

// staging is a set of cases, ready to be played and traced.
type staging struct {
	lab    *lab.Lab
	kept   *keeper
	stream *stream
}

// stage sets cases up and attaches.
func (d *demo) stage(ctx context.Context, cases []lab.Case) (*staging, error) {
	l, err := lab.Start(ctx, cases)
	if err != nil {
		return nil, fmt.Errorf("stage the connections: %w", err)
	}
	for _, c := range l.Conns() {
		d.names[c.ID] = c.Case
	}
	kept := &keeper{next: d.show, names: d.names}
	s, err := openStream(d.options, kept)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &staging{l, kept, s}, nil
}

// rounds plays what is staged, and stages again what this kernel, or this
// machine, did not let be seen.
func (d *demo) rounds(ctx context.Context, first *staging, cases []lab.Case) error {
	next := first
	return lab.Rounds(cases, func(round []lab.Case) (map[string]string, error) {
		st := next
		next = nil
		if st == nil {
			var err error
			if st, err = d.stage(ctx, round); err != nil {
				return nil, err
			}
		}
		defer func() { _ = st.lab.Close() }()
		outcomes, err := st.trace(ctx)
		if err != nil {
			return nil, err
		}
		return d.judge(st, outcomes), nil
	})
}

// judge holds what was said against what the witnesses saw, and says which
// cases are to be staged again.
func (d *demo) judge(st *staging, outcomes []lab.Outcome) (again map[string]string) {
	byCase, strays := lab.Sort(st.kept.events, st.lab.Conns())
	d.strays = append(d.strays, strays...)
	again = map[string]string{}
	for _, o := range outcomes {
		row := lab.Judge(o, byCase[o.Case], st.kept.lost, d.can)
		if why := row.Again(st.kept.lost); why != "" {
			again[o.Case] = why
			row.Why = append(row.Why, why)
			d.say("%s is staged again: %s", o.Case, why)
		}
		d.rows[o.Case] = row
	}
	return again
}

// trace plays the lab's cases while the stream runs.
func (st *staging) trace(ctx context.Context) ([]lab.Outcome, error) {
	streamCtx, stop := context.WithCancel(context.Background())
	defer stop()
	var wg sync.WaitGroup
	var streamErr error
	wg.Go(func() { streamErr = st.stream.run(streamCtx) })

	st.lab.Begin()
	outcomes, err := st.lab.Wait(ctx)
	if ctx.Err() == nil && outcomes != nil {
		err = nil // a case that was not played to its end is judged as such
	}
	stop()
	wg.Wait()
	return outcomes, errors.Join(err, streamErr)
}

// knows is what the judge may expect of a tracer that was asked for --all.
func knows(facts loader.Facts) lab.Backend {
	return lab.Backend{
		SendErrors: facts.SendErrors, ICMP: facts.ICMP, RST: facts.RST, Probed: facts.Probed, ProbedByte: facts.ProbedByte, DropReasons: facts.DropReasons,
		WindowProbes: facts.WindowProbes, TimerReasons: true,
	}
}
