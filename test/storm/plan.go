// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/lab"
	"katrace/test/peers"
)

// plan is what to run.
type plan struct {
	conns   int
	rates   []int
	time    time.Duration
	katrace string
	args    [][]string
	dir     string
	backlog int
	unknown bool
	// Beside other tools: which, how often, and whether the clock counts instructions.
	peers        []string
	runs         int
	instructions bool

	crew  *crew
	crews int // hired so far
}

// hire takes a crew in the place of the one before.
func (p *plan) hire(ctx context.Context) (err error) {
	p.crew.dismiss()
	p.crews++
	p.crew, err = hire(ctx, p.crews, p.conns)
	return err
}

func (p *plan) run(ctx context.Context) error {
	restore, err := raiseBacklog(p.backlog)
	if err != nil {
		return fmt.Errorf("-backlog %d: %w", p.backlog, err)
	}
	defer restore()
	// The namespace is this thread's and its children's, and goes with them.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w (needs CAP_SYS_ADMIN; try sudo)", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring interface lo up: %w", err)
	}
	if len(p.peers) > 0 {
		if err := peers.MountTracefs(); err != nil {
			return err
		}
		// Before the connections are made, which takes a while.
		for _, name := range p.peers {
			if _, err := peers.New(name); err != nil {
				return err
			}
		}
	}
	began := time.Now()
	if err := p.hire(ctx); err != nil {
		return err
	}
	defer func() { p.crew.dismiss() }()
	fmt.Printf("%d connections over %d processes, made in %.0f s\n", p.conns, len(p.crew.workers), time.Since(began).Seconds())
	measure := p.measure
	if len(p.peers) > 0 {
		measure = p.compare
	}
	for _, rate := range p.rates {
		if err := measure(ctx, rate); err != nil {
			return fmt.Errorf("at %d probes/s: %w", rate, err)
		}
	}
	return nil
}

// interval is how many seconds apart each of how many connections is probed: a peer
// that answers, every max(idle, interval), in whole seconds.
func (p *plan) interval(rate int) (idle, active int) {
	idle = (p.conns + rate - 1) / rate
	return idle, min(rate*idle, p.conns)
}

// measure runs one rate without and with katrace.
func (p *plan) measure(ctx context.Context, rate int) error {
	idle, active := p.interval(rate)
	without, err := p.window(ctx, active, idle, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%d probes/s wanted\n  without  %s\n", rate, without)
	if p.katrace == "" {
		return nil
	}
	for _, args := range p.args {
		if err := p.trace(ctx, args, active, idle); err != nil {
			return fmt.Errorf("katrace %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// trace runs a rate with katrace.
func (p *plan) trace(ctx context.Context, args []string, active, idle int) error {
	t, err := startTracer(p.katrace, args, p.dir)
	if err != nil {
		return err
	}
	defer t.discard()
	if p.unknown {
		if err := p.hire(ctx); err != nil {
			return err
		}
	}
	with, err := p.window(ctx, active, idle, t)
	if err != nil {
		return err
	}
	counted, err := t.scrape(with.counted)
	if err != nil {
		return err
	}
	if err := t.stop(); err != nil {
		return err
	}
	told, err := t.count()
	if err != nil {
		return err
	}
	fmt.Printf("  katrace %s\n  with     %s\n  katrace  %s%s\n", strings.Join(args, " "), with, with.report(told), counted)
	return nil
}

// window switches keepalive on, lets it settle, measures, and switches it off:
// what the kernel counts meanwhile is what a tracer has to tell.
func (p *plan) window(ctx context.Context, active, idle int, t *tracer) (window, error) {
	var w window
	counted, err := lab.ProbesSent()
	if err != nil {
		return w, err
	}
	if err := p.crew.on(active, idle); err != nil {
		return w, err
	}
	if err := pause(ctx, time.Duration(idle+1)*time.Second); err != nil {
		return w, err
	}
	before, err := look(t)
	if err != nil {
		return w, err
	}
	if err := pause(ctx, p.time); err != nil {
		return w, err
	}
	after, err := look(t)
	if err != nil {
		return w, err
	}
	if err := p.crew.off(); err != nil {
		return w, err
	}
	if err := pause(ctx, time.Second); err != nil {
		return w, err
	}
	all, err := lab.ProbesSent()
	if err != nil {
		return w, err
	}
	w = after.since(before)
	w.counted = all - counted
	return w, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
