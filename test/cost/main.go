// SPDX-License-Identifier: BSD-2-Clause

// Command cost measures what katrace costs in the kernel, per firing of the
// keepalive timer and per received segment: the same work is done without and
// with a tracer, and the difference is divided by the number of firings.
//
//	cost -katrace bin/katrace -backends tracepoint -bpftrace -inside   # this machine, nanoseconds
//	go run ./test/vm run -blocks BLOCKS … -- /cost -count >SAID        # a guest, instructions
//	cost -tables BLOCKS <SAID                                          # of which these are the tables
//
// A measurement takes some 12 s, nearly all of which is waiting for timers of a second, and
// there are -pairs of each variant. Each is shown on standard error as soon as it is done; a
// run that is cut short shows the table of those.
//
// In a guest the emulator counts each instruction, so one run is enough, and figures
// repeat to a few instructions. make bench-kernel runs both. The connections are on
// loopback, in a network namespace of their own, and go with the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	var o options
	var backends string
	flag.StringVar(&o.katrace, "katrace", "bin/katrace", "the program to measure")
	flag.StringVar(&backends, "backends", "kprobe,fentry,tracepoint", "backends, separated by commas")
	flag.StringVar(&o.flags, "flags", "--all,--rtt", "katrace's flags to measure each backend with as well, separated by commas")
	flag.BoolVar(&o.bpftrace, "bpftrace", false, "measure a bpftrace script that does the same job as well")
	flag.BoolVar(&o.inside, "inside", false, "measure the time inside the programs as well, by the kernel's statistics")
	flag.IntVar(&o.pairs, "pairs", 10, "how often each is measured; medians are shown")
	flag.IntVar(&o.conns, "conns", 5000, "connections; each is one firing in a measurement")
	flag.BoolVar(&o.count, "count", false, "tell the emulator (vm run -blocks) what to count, and standard output what it was, instead of looking at the clock")
	blocks := flag.String("tables", "", "show what was counted: `BLOCKS` is the file of vm run -blocks, standard input what the guest wrote")
	top := flag.Int("top", 0, "with -tables, also list so many functions of each cell, those with the most instructions")
	flag.Parse()
	o.backends = split(backends)
	do := func() error { return run(o) }
	if *blocks != "" {
		do = func() error { return tables(*blocks, *top) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

type options struct {
	katrace  string
	backends []string
	flags    string
	bpftrace bool
	inside   bool
	pairs    int
	conns    int
	count    bool
}

func split(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

// tables shows what was counted in a guest.
func tables(blocks string, top int) error {
	f, err := os.Open(blocks)
	if err != nil {
		return err
	}
	defer f.Close()
	return showCounted(os.Stdout, f, os.Stdin, top)
}

// variants are what is measured, the run without a tracer first.
func (o *options) variants() ([]variant, error) {
	vs := []variant{{name: "no tracer"}}
	for _, b := range o.backends {
		vs = append(vs, o.traced(b))
		for _, f := range split(o.flags) {
			vs = append(vs, o.traced(b, f))
		}
	}
	if o.bpftrace {
		v, err := bpftrace()
		if err != nil {
			return nil, err
		}
		vs = append(vs, v)
	}
	if o.inside {
		for _, v := range vs[1:] {
			v.name, v.inside = v.name+", inside its programs", true
			vs = append(vs, v)
		}
	}
	return vs, nil
}

func (o *options) traced(backend string, flags ...string) variant {
	name := backend
	for _, f := range flags {
		f, _, _ = strings.Cut(f, "=")
		name += " " + f
	}
	return variant{
		name:  name,
		argv:  append([]string{o.katrace, "--attach", backend, "-o", "json"}, flags...),
		ready: "attached by",
		event: `"event":"%s"`,
		all:   slices.Contains(flags, "--all"),
		exact: slices.Contains(flags, "--rtt"),
	}
}

func run(o options) error {
	// One thread makes the connections, arms their timers, and is interrupted
	// by them: a timer fires on the processor it was set on.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	vs, err := o.variants()
	if err != nil {
		return err
	}
	cpu, others, err := pin()
	if err != nil {
		return err
	}
	if err := isolate(o.bpftrace); err != nil {
		return err
	}
	b := &bench{options: o, cpus: others, others: findOthers(cpu)}
	if b.peers, err = openElsewhere(); err != nil {
		return err
	}
	if b.conns, err = connectMany(o.conns); err != nil {
		return err
	}
	if b.talk, err = connect(); err != nil {
		return err
	}
	if o.count {
		o.pairs = 1
		if b.counter, err = newCounter(); err != nil {
			return err
		}
		// What is done for the first time is done otherwise: new connections take
		// another way through TCP, and the kernel's allocator has to find memory.
		b.counter.out = io.Discard
		if _, err := b.measure(vs[0]); err != nil {
			return err
		}
		b.counter.out = os.Stdout
	}
	results, err := b.measureAll(vs)
	if !o.count && len(results[0]) > 0 { // also what there is of a run that was cut short
		show(os.Stdout, o, vs, results)
	}
	return err
}

// measureAll measures the variants in turn. A signal ends that after the measurement under
// way, a second one at once. Of each variant it returns what was measured until then.
func (b *bench) measureAll(vs []variant) ([][]sample, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	results := make([][]sample, len(vs))
	for pair := range b.pairs {
		for i, v := range vs {
			if ctx.Err() != nil {
				return results, fmt.Errorf("interrupted after %d of %d measurements", pair*len(vs)+i, b.pairs*len(vs))
			}
			s, err := b.measure(v)
			for again := 0; again < 5 && errors.Is(err, errDisturbed); again++ {
				fmt.Fprintf(os.Stderr, "%s: %v: once more\n", v.name, err)
				s, err = b.measure(v)
			}
			if err != nil {
				return results, fmt.Errorf("%s: %w", v.name, err)
			}
			fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", pair*len(vs)+i+1, b.pairs*len(vs), v.name, b.words(s))
			results[i] = append(results[i], s)
		}
	}
	return results, nil
}

// pin keeps this thread on the last of its processors, and gives the others to
// the tracers, where there are others.
func pin() (cpu int, others *unix.CPUSet, err error) {
	var all, mine unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return 0, nil, fmt.Errorf("ask which processors may be used: %w", err)
	}
	for cpu = len(all)*64 - 1; cpu >= 0 && !all.IsSet(cpu); cpu-- {
	}
	mine.Set(cpu)
	if err := unix.SchedSetaffinity(0, &mine); err != nil {
		return 0, nil, fmt.Errorf("stay on processor %d: %w", cpu, err)
	}
	all.Clear(cpu)
	if all.Count() == 0 {
		return cpu, nil, nil
	}
	return cpu, &all, nil
}
