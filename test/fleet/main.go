// SPDX-License-Identifier: BSD-2-Clause

// Command fleet plays a thousand hosts that run katrace: a log file and a metrics
// address each, made by the packages that katrace itself is made of. A router dies, and
// the peers behind it answer no more. The tests in this folder let a real collector, log
// store and Prometheus find that out (docs/fleet.md).
//
//	fleet -dir logs -targets targets.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	p := plan{}
	flag.IntVar(&p.hosts, "hosts", 1000, "hosts")
	flag.IntVar(&p.conns, "conns", 100, "connections of each")
	flag.DurationVar(&p.calm, "calm", time.Minute, "ordinary traffic before the router dies")
	flag.DurationVar(&p.dead, "dead", 2*time.Minute, "how long it goes on after that")
	flag.IntVar(&p.router, "router", 7, "which of the 25 routers dies")
	flag.StringVar(&p.dir, "dir", ".", "for the hosts' log files")
	flag.IntVar(&p.history, "history", 0, "lines of the day before")
	targets := flag.String("targets", "", "write Prometheus' targets to this file")
	flag.Uint64Var(&p.seed, "seed", 1, "of the ordinary traffic")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := play(ctx, p, *targets); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func play(ctx context.Context, p plan, targets string) error {
	s, err := newSimulation(ctx, p)
	if err != nil {
		return err
	}
	defer s.close()
	if targets != "" {
		if err := writeTargets(targets, s.targets()); err != nil {
			return err
		}
	}
	s.start()
	if err := s.run(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "fleet: %d firings, %d lines\n", s.fired, s.lines())
	return nil
}

func writeTargets(name string, all []target) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
