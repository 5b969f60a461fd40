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
	filter                  events.Filter
	duration                span
	count, followSize       amount
	btf                     string
	ringSize                uint32 // bytes
}

// streamOptions say what runStream does.
type streamOptions struct {
	output      output
	logFile     string // "": none
	noColor     bool
	load        loader.Options
	filter      events.Filter
	filterWords string        // as it was given
	duration    time.Duration // 0: until stopped
	count       uint64        // events, 0: until stopped
	debug       bool
}

func (r *rawStreamFlags) register(cmd *cobra.Command) {
	r.attach, r.ringSize = "auto", 16<<20
	addEventFlags(cmd, groupTrace, &r.filter)
	addFlags(cmd, groupTrace,
		flagSpec{name: "rtt", to: &r.rtt, help: "exact round trips; looks at received segments while a probe is out"},
		flagSpec{name: "all", to: &r.all, help: "also firings that sent nothing, zero-window probes, and closes"})
	addFlags(cmd, groupAttach, attachFlag(&r.attach), btfFlag(&r.btf))
	r.registerOutput(cmd)
	addFlags(cmd, groupOutput,
		flagSpec{name: "log-file", to: &r.logFile, help: "append the JSON stream to this file, beside the output", offer: files})
	addFlags(cmd, groupLimits,
		flagSpec{name: "duration", to: &r.duration, help: "stop after this time, such as 30s or 5m (a bare number is seconds)"},
		flagSpec{name: "count", to: &r.count, help: "stop after this many events"},
		flagSpec{name: "ring-size", to: &value[uint32]{&r.ringSize, parseSize, "16MiB"}, help: "size of the ring buffer, a power of two: 4KiB to 1GiB"},
		flagSpec{name: "follow-size", to: &r.followSize, help: "how many connections with probes out are followed at once (default 1048576; 65536 before Linux 6.1 and on PREEMPT_RT)"})
}

// registerOutput adds the flags that say where events go.
func (r *rawStreamFlags) registerOutput(cmd *cobra.Command) {
	addFlags(cmd, groupOutput,
		outputFlag(&r.output, ", one object a line"+outputDefault, outputNames()...), noColorFlag(&r.noColor))
}

func (r *rawStreamFlags) validate() (streamOptions, error) {
	o := streamOptions{filter: r.filter, logFile: r.logFile, noColor: r.noColor, duration: time.Duration(r.duration), count: uint64(r.count)}
	var err error
	if o.output, err = chooseOutput(r.output); err != nil {
		return o, err
	}
	backend := loader.Backend(r.attach)
	if r.followSize > maxFollow {
		return o, usagef("--follow-size %d: want at most %d", r.followSize, maxFollow)
	}
	if err := refuseNever(&r.filter); err != nil {
		return o, err
	}
	for _, k := range o.filter.Kinds {
		if needsAll(k) && !r.all {
			return o, usagef("--event %s: these are only seen with --all", k)
		}
	}
	if err := lacking(o.filter.Kinds, backend, backend.Facts()); err != nil {
		return o, usagef("--event %s with --attach %s: %w", join(o.filter.Kinds), backend, err)
	}
	o.load = loader.Options{Backend: backend, All: r.all, ExactRTT: r.rtt, Filter: o.filter.Socket, RingSize: r.ringSize, Follow: uint32(r.followSize), BTF: r.btf}
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
