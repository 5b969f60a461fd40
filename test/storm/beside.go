// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"katrace/test/peers"
)

// subject is katrace with a set of flags, or another tool.
type subject struct {
	name  string
	start func() (*tracer, error)
	// told ends it, and returns what it told of this many probes.
	told func(t *tracer, counted uint64) (peers.Told, error)
}

// subjects are all that is to be compared.
func (p *plan) subjects() ([]subject, error) {
	var all []subject
	for _, args := range p.args {
		all = append(all, subject{
			name:  "katrace " + strings.Join(args, " "),
			start: func() (*tracer, error) { return startTracer(p.katrace, args, p.dir) },
			told:  toldByKatrace,
		})
	}
	var ns unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &ns); err != nil {
		return nil, err
	}
	for _, name := range p.peers {
		peer, err := peers.New(name)
		if err != nil {
			return nil, err
		}
		all = append(all, subject{
			name:  name,
			start: func() (*tracer, error) { return launch(peer.Argv, peer.Env, peer.Ready, p.dir) },
			told: func(t *tracer, _ uint64) (peers.Told, error) {
				if peer.Ask != nil {
					told, err := peer.Ask()
					return told, errors.Join(err, t.stop())
				}
				if err := t.stop(); err != nil {
					return peers.Told{}, err
				}
				for _, f := range []io.Seeker{t.out, t.err} {
					if _, err := f.Seek(0, io.SeekStart); err != nil {
						return peers.Told{}, err
					}
				}
				return peer.Read(t.out, t.err, ns.Ino)
			},
		})
	}
	return all, nil
}

// toldByKatrace is what its lines say, or its metrics where it has some: with
// --changes healthy probes are no lines, and with -o none nothing is.
func toldByKatrace(t *tracer, counted uint64) (peers.Told, error) {
	if t.socket != "" {
		m, err := t.metrics(counted)
		return peers.Told{Probes: m.sent + m.failed, Lost: m.missed, Counts: true}, errors.Join(err, t.stop())
	}
	if err := t.stop(); err != nil {
		return peers.Told{}, err
	}
	n, err := t.count()
	return peers.Told{Probes: n.probes, Lost: n.lost.Ring + n.lost.Missed, Counts: true}, err
}

// compare runs the same load beside each tool in turn, several times over, and
// shows the medians.
func (p *plan) compare(ctx context.Context, rate int) error {
	subjects, err := p.subjects()
	if err != nil {
		return err
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return fmt.Errorf("switch the kernel's statistics of programs on: %w", err)
	}
	defer func() { _ = stats.Close() }()
	idle, active := p.interval(rate)
	rows := make([][]row, len(subjects))
	var probes []float64
	for run := range p.runs {
		for i, s := range subjects {
			r, err := p.beside(ctx, s, active, idle)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintf(os.Stderr, "run %d: %s: %v\n", run+1, s.name, r)
			rows[i] = append(rows[i], r)
			probes = append(probes, r.rate())
		}
	}
	p.show(os.Stdout, median(probes), subjects, rows)
	return nil
}

// beside runs the load beside one tool.
func (p *plan) beside(ctx context.Context, s subject, active, idle int) (row, error) {
	t, err := s.start()
	if err != nil {
		return row{}, err
	}
	defer t.discard()
	w, err := p.window(ctx, active, idle, t)
	if err != nil {
		return row{}, err
	}
	told, err := s.told(t, w.counted)
	return row{window: w, Told: told}, err
}
