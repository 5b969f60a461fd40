// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// bench is the work that is done without and with tracers.
type bench struct {
	options
	cpus   *unix.CPUSet // the tracer's, nil: it has none of its own
	others others
	peers  *elsewhere
	conns  []conn
	talk   conn
	tracer *tracer

	counter counter // with -count
}

// work is one kind of work.
type work int

const (
	otherTimer    work = iota // a firing of another timer than keepalive's
	neverProbed               // a firing that sends nothing, of a connection without a probe so far
	firstProbe                // a probe, the first of the connection
	nextProbe                 // a probe, unanswered as the one before
	answeredProbe             // a probe that a socket of this host answers, as the one before
	lateAnswer                // a firing that sends nothing, and finds that the last probe was answered
	uneventful                // a firing that sends nothing, and has nothing to tell of a connection that it knows
	openReset                 // a connection without keepalive, opened and reset
	segment                   // a received segment, no probe outstanding
	segmentArmed              // a received segment while a probe is outstanding elsewhere
	works
)

// works is how many kinds of work are measured: segments only matter to --rtt.
func (o *options) works() work {
	if strings.Contains(o.flags, "--rtt") {
		return works
	}
	return segment
}

var workNames = [works]string{"other timer", "never probed", "first probe", "probe", "answered probe", "answer only", "no event", "open and reset", "segment", "segment, probe out"}

func (w work) String() string { return workNames[w] }

// sample is one measurement: the clock's units per firing or segment, and what
// part of the events the tracer told, in [0,1] or NaN where there are none.
type sample struct {
	cost [works]float64
	told [works]float64
}

// measure does all the work once, beside the tracer.
func (b *bench) measure(v variant) (s sample, err error) {
	if b.tracer, err = start(v, b.cpus); err != nil {
		return s, err
	}
	defer func() {
		b.tracer.stop()
		b.tracer = nil
	}()
	if v.inside {
		stop, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
		if err != nil {
			return s, fmt.Errorf("switch the kernel's statistics on: %w", err)
		}
		defer func() { _ = stop.Close() }()
	}
	// A measurement that was disturbed may have left these.
	b.counter.marks = nil
	if err := b.peers.silence(false); err != nil {
		return s, err
	}
	for w := range b.works() {
		s.told[w] = math.NaN()
		switch w {
		case firstProbe:
			if err := b.peers.silence(true); err != nil {
				return s, err
			}
		case answeredProbe:
			if err := b.peers.silence(false); err != nil {
				return s, err
			}
			if _, err := b.fire(true); err != nil { // the one before
				return s, err
			}
		default: // needs no probe before it
		}
		var took time.Duration
		n := len(b.conns)
		switch w {
		case otherTimer:
			took, n, err = b.otherTimers()
		case openReset:
			took, n, err = b.openAndReset()
		case segment, segmentArmed:
			if w == segmentArmed {
				silent, err := b.probeSilent()
				if err != nil {
					return s, err
				}
				defer silent.close()
			}
			took, n, err = b.exchange()
		default:
			took, s.told[w], err = b.firings(w, v)
		}
		if err != nil {
			return s, fmt.Errorf("%v: %w", w, err)
		}
		s.cost[w] = float64(took.Nanoseconds()) / float64(n)
		b.counter.note(w, n)
	}
	if b.count {
		return s, b.counter.tell(v)
	}
	return s, nil
}

// firings lets each connection's timer fire once, and returns the time that it took
// and what part of the events the tracer told, NaN where there are none.
func (b *bench) firings(w work, v variant) (took time.Duration, told float64, err error) {
	probe := w == firstProbe || w == nextProbe || w == answeredProbe
	if took, err = b.fire(probe); err != nil {
		return 0, 0, err
	}
	name := ""
	switch {
	case probe:
		name = "probe"
	case w == lateAnswer && !v.exact:
		name = "answer"
	case (w == uneventful || w == neverProbed) && v.all:
		name = "timer"
	}
	if name == "" {
		return took, math.NaN(), nil
	}
	found, err := b.tracer.count(name, len(b.conns))
	if b.count && found != len(b.conns) {
		err = fmt.Errorf("%w: %d of %d events were told", errDisturbed, found, len(b.conns))
	}
	return took, float64(found) / float64(len(b.conns)), err
}
