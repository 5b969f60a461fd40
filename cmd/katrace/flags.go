// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/internal/logfile"
)

// streamOptions say what runStream does.
type streamOptions struct {
	output      output          // "": chosen by validate
	log         logfile.Options // Path "": none
	maxRate     int             // lines a second, 0: all
	metrics     metricsOptions
	host        string // "": lines do not say which
	noColor     bool
	load        loader.Options
	filter      events.Filter
	names       nameOptions
	filterWords string        // as it was given
	duration    time.Duration // 0: until stopped
	count       int           // events, 0: until stopped
	debug       bool
}

func (o *streamOptions) register(cmd *cobra.Command) {
	o.load.Backend = loader.Auto
	addEventFlags(cmd, groupTrace, &o.filter)
	o.names.register(cmd, groupTrace)
	addFlags(cmd, groupTrace,
		flagSpec{name: "rtt", to: &o.load.ExactRTT, help: "exact round trips; looks at received segments while a probe is out"},
		flagSpec{name: "all", to: &o.load.All, help: "also firings that sent nothing, zero-window probes, and closes"})
	addFlags(cmd, groupAttach, attachFlag(&o.load.Backend), btfFlag(&o.load.BTF))
	o.registerOutput(cmd, string(outputNone))
	o.registerLog(cmd)
	o.metrics.register(cmd)
	addFlags(cmd, groupOutput, hostFlag(&o.host))
	addFlags(cmd, groupLimits,
		flagSpec{name: "duration", to: &o.duration, help: "stop after this time, such as 30s or 5m (a bare number is seconds)"},
		flagSpec{name: "count", to: &o.count, help: "stop after this many events"},
		flagSpec{name: "ring-size", to: &value[uint32]{to: &o.load.RingSize, parse: parseSize, word: "16MiB"}, help: "size of the ring buffer, a power of two: 4KiB to 1GiB; by itself 8MiB with --changes"},
		flagSpec{name: "follow-size", to: &value[uint32]{to: &o.load.Follow, parse: parseFollow, kind: "number"}, help: "how many connections with probes out are followed at once (default 1048576; 65536 before Linux 6.1 and on PREEMPT_RT)"})
}

// registerOutput adds the flags that say where events go.
func (o *streamOptions) registerOutput(cmd *cobra.Command, more ...string) {
	addFlags(cmd, groupOutput,
		outputFlag(&o.output, "; json is one object a line"+outputDefault, append(outputNames(), more...)...), noColorFlag(&o.noColor))
}

// validate holds the flags against each other.
func (o *streamOptions) validate() (err error) {
	if o.output, err = chooseOutput(o.output); err != nil {
		return err
	}
	if err := cmp.Or(o.validateLog(), o.metrics.validate()); err != nil {
		return err
	}
	if err := refuseNever(&o.filter); err != nil {
		return err
	}
	if o.output != outputJSON && o.log.Path == "" && len(o.filter.Kinds) > 0 && !slices.ContainsFunc(o.filter.Kinds, inEveryOutput) {
		return usagef("--event %s: only a recording has that (-o json, --log-file)", join(o.filter.Kinds))
	}
	if len(o.filter.Kinds) > 0 && !slices.ContainsFunc(o.filter.Kinds, func(k events.Kind) bool { return k != events.KindSet }) {
		return usagef("--event set: only recordings have that: katrace set --log-file writes it")
	}
	for _, k := range o.filter.Kinds {
		if needsAll(k) && !o.load.All {
			return usagef("--event %s: these are only seen with --all", k)
		}
	}
	if err := lacking(o.filter.Kinds, o.load.Backend, o.load.Backend.Facts()); err != nil {
		return usagef("--event %s with --attach %s: %w", join(o.filter.Kinds), o.load.Backend, err)
	}
	o.load.NoDrops = !o.filter.Takes(events.KindDropped) && !o.metrics.wanted()
	o.load.Filter = o.filter.Socket
	o.chooseRecords()
	return nil
}

func hostFlag(to *string) flagSpec {
	return flagSpec{name: "host", to: valueOf(to, parseHost), help: "say in each line that it is of the host with this name (key host), for recordings that are merged"}
}

func parseHost(s string) (string, error) {
	if s == "" {
		return "", errors.New("want a name")
	}
	return s, nil
}

// maxFollow bounds the tables of connections: 16 million take some 2 GB.
const maxFollow = 1 << 24

func parseFollow(s string) (uint32, error) {
	n, err := parseAmount(s)
	if err == nil && n > maxFollow {
		err = fmt.Errorf("want at most %d", maxFollow)
	}
	return uint32(n), err
}

// inEveryOutput says that the event comes to every output.
func inEveryOutput(k events.Kind) bool {
	return k == events.KindLost || k == events.KindSuppressed || !k.OfTracing()
}

// needsAll says that the event only comes with --all.
func needsAll(k events.Kind) bool {
	return k == events.KindTimer || k == events.KindWindowProbe || k == events.KindClosed
}

// parseSize reads a ring size: a power of two, at least a page (the kernel's rule
// for ring buffers).
func parseSize(s string) (uint32, error) {
	n, err := parseBytes(s)
	if err != nil {
		return 0, fmt.Errorf("want a size such as 512KiB or 8MiB")
	}
	page := uint64(os.Getpagesize())
	if bits.OnesCount64(n) != 1 || n < page || n > 1<<30 {
		return 0, fmt.Errorf("want a power of two from %d bytes to 1GiB", page)
	}
	return uint32(n), nil
}

// parseBytes reads a number of bytes, KiB, MiB or GiB, up to 4 EiB.
func parseBytes(s string) (uint64, error) {
	digits, shift := s, 0
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
	return n << shift, err
}
