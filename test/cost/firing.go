// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"time"

	"katrace/internal/lab"
)

// The connections' idle time while their timers are set. The kernel's slack
// for a second is at most 64 ms (timer wheel, HZ 250 and 1000), 80 ms (HZ 100).
const (
	idle  = time.Second
	slack = 120 * time.Millisecond
)

// At most 1,000 segments (net.core.netdev_max_backlog) may be on their way
// over lo, and firings come in bunches as wide as the slack.
const (
	bunch     = 50
	bunchTime = 8 * time.Millisecond
)

// errDisturbed: this thread did not get the processor when it had to have it.
var errDisturbed = errors.New("the machine is too busy to measure")

// fire lets each connection's timer fire once and returns the time that these
// firings took of this processor, all that is done for them in interrupts
// included: also that the peer's end answers a probe. With probe each firing
// sends one; else it finds the connection not idle for long enough.
func (b *bench) fire(probe bool) (time.Duration, error) {
	if err := setIdle(int(idle.Seconds())); err != nil {
		return 0, err
	}
	start := time.Now()
	for i, c := range b.conns {
		if probe && i%bunch == 0 {
			time.Sleep(time.Until(start.Add(time.Duration(i/bunch) * bunchTime)))
		}
		if err := c.arm(); err != nil {
			return 0, err
		}
	}
	armed := time.Since(start)
	if armed > idle*9/10 {
		return 0, fmt.Errorf("%w: setting %d timers took %v, and the first fires before the last is set (try fewer -conns)", errDisturbed, len(b.conns), armed)
	}
	if !probe {
		// Timers that run stay as they are, and will find that it is too early.
		if err := setIdle(7200); err != nil {
			return 0, err
		}
	}
	time.Sleep(idle - 30*time.Millisecond - time.Since(start))
	// All that happened before is told by now.
	if _, err := b.tracer.news(); err != nil {
		return 0, err
	}
	before, err := lab.ProbesSent()
	if err != nil {
		return 0, err
	}
	watch := func() (time.Duration, error) {
		return b.watch(start, armed+idle+slack), nil
	}
	var took time.Duration
	if b.tracer != nil && b.tracer.variant.inside {
		took, err = b.tracer.inside(watch)
	} else {
		took, err = b.undisturbed(softirqs, watch)
	}
	if err != nil {
		return 0, err
	}
	after, err := lab.ProbesSent()
	if err != nil {
		return 0, err
	}
	var want uint64
	if probe {
		want = uint64(len(b.conns))
	}
	if after-before != want {
		return 0, fmt.Errorf("%w: the kernel sent %d probes where %d were expected", errDisturbed, after-before, want)
	}
	return took, nil
}

// undisturbed is what f says, without the time that other threads took of this
// processor meanwhile. Where instructions are counted it is a phase of that, and
// there is no time to return.
func (b *bench) undisturbed(in scope, f func() (time.Duration, error)) (time.Duration, error) {
	resume := b.tracer.hold()
	defer resume()
	if b.count {
		return 0, b.counter.phase(in, f)
	}
	before, err := b.others.ran()
	if err != nil {
		return 0, err
	}
	took, err := f()
	if err != nil {
		return 0, err
	}
	after, err := b.others.ran()
	return took - (after - before), err
}
