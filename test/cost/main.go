// SPDX-License-Identifier: BSD-2-Clause

// Command cost measures what katrace costs in the kernel, per firing of the
// keepalive timer and per received segment: the same work is done without and
// with a tracer, and the difference is divided by the number of firings.
//
//	cost -katrace bin/katrace -backends tracepoint -bpftrace -inside   # this machine, nanoseconds
//	cost -katrace /katrace -pairs 1                                    # a guest under -icount, instructions
//
// Under QEMU's -icount the clock counts instructions, 1 ns each, so the same
// figures are then instructions, and one run is enough. make bench-kernel runs
// both. The connections are on loopback, in a network namespace of their own,
// and go with the process.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

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
	flag.StringVar(&o.unit, "unit", "ns", "how to call the clock's unit")
	flag.BoolVar(&o.verbose, "v", false, "show each measurement")
	flag.Parse()
	o.backends = split(backends)
	if err := run(o); err != nil {
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
	unit     string
	verbose  bool
}

func split(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
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
	return variant{
		name:  strings.Join(append([]string{backend}, flags...), " "),
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
	results := make([][]sample, len(vs))
	for pair := range o.pairs {
		for i, v := range vs {
			s, err := b.measure(v)
			for again := 0; again < 5 && errors.Is(err, errDisturbed); again++ {
				s, err = b.measure(v)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if o.verbose {
				fmt.Fprintf(os.Stderr, "%d %s: %v\n", pair+1, v.name, s)
			}
			results[i] = append(results[i], s)
		}
	}
	show(os.Stdout, o, vs, results)
	return nil
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
