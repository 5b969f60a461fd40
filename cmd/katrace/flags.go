// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// rawStreamFlags are the stream's flags as typed; validate makes
// streamOptions of them, or an error that quotes the input.
type rawStreamFlags struct {
	output, logFile, attach string
	all, rtt, noColor       bool
	conns                   rawConnFilter
	event                   []string
	dead, silent            bool
	duration                time.Duration
	count                   uint64
	btf, ringSize           string
	followSize              uint32
}

// streamOptions say what runStream does.
type streamOptions struct {
	output   output
	logFile  string // "": none
	noColor  bool
	load     loader.Options
	filter   events.Filter
	duration time.Duration // 0: until stopped
	count    uint64        // events, 0: until stopped
	debug    bool
}

func (r *rawStreamFlags) register(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	r.registerOutput(cmd)
	r.registerFilter(cmd)
	f := cmd.Flags()
	f.BoolVar(&r.rtt, "rtt", false, "exact round trips; looks at received segments while a probe is out")
	f.BoolVar(&r.all, "all", false, "also firings that sent nothing, zero-window probes, and closes")
	f.StringVar(&r.logFile, "log-file", "", "append the JSON stream to this file, beside the output")
	f.DurationVar(&r.duration, "duration", 0, "stop after this time, such as 30s or 5m")
	f.Uint64Var(&r.count, "count", 0, "stop after this many events")
	f.StringVar(&r.attach, "attach", "auto", "how to attach: auto, kprobe, fentry or tracepoint")
	f.StringVar(&r.ringSize, "ring-size", "16MiB", "size of the ring buffer, a power of two: 4KiB to 1GiB")
	f.Uint32Var(&r.followSize, "follow-size", 0, "how many connections with probes out are followed at once (default 1048576; 65536 before Linux 6.1 and on PREEMPT_RT)")
	f.StringVar(&r.btf, "btf", "", "file with this kernel's BTF, where the kernel has none itself")
	complete(cmd, "attach", "auto", "kprobe", "fentry", "tracepoint")
	completeFile(cmd, "log-file")
	completeFile(cmd, "btf")
}

// registerOutput adds the flags that say where events go.
func (r *rawStreamFlags) registerOutput(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&r.output, "output", "o", "", "tui, text, or json, one object a line (default: tui on a terminal, else text)")
	f.BoolVar(&r.noColor, "no-color", false, "no colours in the live view; so does NO_COLOR in the environment")
	complete(cmd, "output", "tui", "text", "json")
}

// registerFilter adds the flags that say which events are wanted.
func (r *rawStreamFlags) registerFilter(cmd *cobra.Command) {
	r.conns.register(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&r.event, "event", nil, "only these events: "+strings.Join(events.KindNames(), ", "))
	f.BoolVar(&r.dead, "dead", false, "only ends: reset, peer_reset")
	f.BoolVar(&r.silent, "silent", false, "only unanswered: probes that follow an unanswered one or did not leave")
	complete(cmd, "event", events.KindNames()...)
}

func (r *rawStreamFlags) validate() (streamOptions, error) {
	o := streamOptions{logFile: r.logFile, noColor: r.noColor, duration: r.duration, count: r.count}
	var err error
	if o.output, err = chooseOutput(r.output); err != nil {
		return o, err
	}
	if r.duration < 0 {
		return o, usagef("--duration %s: want a positive time", r.duration)
	}
	backend, err := loader.ParseBackend(r.attach)
	if err != nil {
		return o, usagef("--attach: %w", err)
	}
	size, err := parseSize(r.ringSize)
	if err != nil {
		return o, usagef("--ring-size %q: %w", r.ringSize, err)
	}
	if r.followSize > maxFollow {
		return o, usagef("--follow-size %d: want at most %d", r.followSize, maxFollow)
	}
	if o.filter, err = r.validateFilter(); err != nil {
		return o, err
	}
	for _, k := range o.filter.Kinds {
		if needsAll(k) && !r.all {
			return o, usagef("--event %s: these are only seen with --all", k)
		}
	}
	o.load = loader.Options{Backend: backend, All: r.all, ExactRTT: r.rtt, Filter: o.filter.Socket, RingSize: size, Follow: r.followSize, BTF: r.btf}
	return o, nil
}

// maxFollow bounds the tables of connections: 16 million take some 2 GB.
const maxFollow = 1 << 24

// needsAll says that the event only comes with --all.
func needsAll(k events.Kind) bool {
	return k == events.KindTimer || k == events.KindWindowProbe || k == events.KindClosed
}

// parseSize reads a ring size: bytes, KiB, MiB or GiB; a power of two, at
// least a page (the kernel's rule for ring buffers).
func parseSize(s string) (uint32, error) {
	digits, shift := s, 0
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("want a size such as 512KiB or 8MiB")
	}
	page := uint64(os.Getpagesize())
	if n <<= shift; bits.OnesCount64(n) != 1 || n < page || n > 1<<30 {
		return 0, fmt.Errorf("want a power of two from %d bytes to 1GiB", page)
	}
	return uint32(n), nil
}
