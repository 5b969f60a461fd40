// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is katrace's memory at one time since it began, in KiB.
type sample struct {
	at  time.Duration
	kib int
}

// memory is how katrace's memory went. Most of it is the table of who holds which
// socket, of all sockets of the host: while other programs' come and go by the hundred
// thousand, this tells nothing. What is resident rises and falls with the
// garbage collector, which lets the heap grow to twice what is in use before it runs,
// and gives back slowly. What is in use after a collection does not.
type memory struct {
	resident, own []sample // Rss; and without files and the ring buffer: Anonymous
	inUse         []sample // of the heap, after each collection
}

// What is compared, without what the start takes: the first minutes after that with
// the last ones.
const (
	warm   = 5 * time.Minute
	window = 5 * time.Minute
)

// compared are the spans of a run that are compared; of a short one a third each.
func compared(whole time.Duration) (first, last [2]time.Duration) {
	begin, width := min(warm, whole/3), min(window, whole/3)
	return [2]time.Duration{begin, begin + width}, [2]time.Duration{whole - width, whole}
}

// median is that of the samples in the span; false: there are none.
func median(of []sample, span [2]time.Duration) (int, bool) {
	var in []int
	for _, s := range of {
		if s.at >= span[0] && s.at <= span[1] {
			in = append(in, s.kib)
		}
	}
	if len(in) == 0 {
		return 0, false
	}
	slices.Sort(in)
	return in[len(in)/2], true
}

// measure takes a sample, of /proc/PID/smaps_rollup: what status has is not exact.
func (m *memory) measure(pid int, at time.Duration) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return err
	}
	before := len(m.resident) + len(m.own)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch {
		case err != nil:
		case name == "Rss":
			m.resident = append(m.resident, sample{at, kib})
		case name == "Anonymous":
			m.own = append(m.own, sample{at, kib})
		}
	}
	if len(m.resident)+len(m.own) != before+2 {
		return fmt.Errorf("process %d has ended", pid)
	}
	return nil
}

// collection reads a line that Go's runtime writes of a collection, with
// GODEBUG=gctrace=1: "gc 7 @12.034s 0%: … ms cpu, 4->5->2 MB, 5 MB goal, …". What is in
// use after it is the third number, in whole MiB (package runtime, printed by
// gcMarkTermination). false: it is another line.
func collection(line string) (sample, bool) {
	rest, is := strings.CutPrefix(line, "gc ")
	_, rest, at := strings.Cut(rest, " @")
	seconds, rest, s := strings.Cut(rest, "s ")
	before, _, mb := strings.Cut(rest, " MB, ")
	sizes := strings.Split(before[strings.LastIndexByte(before, ' ')+1:], "->")
	if !is || !at || !s || !mb || len(sizes) != 3 {
		return sample{}, false
	}
	since, err := strconv.ParseFloat(seconds, 64)
	used, wrong := strconv.Atoi(sizes[2])
	if err != nil || wrong != nil {
		return sample{}, false
	}
	return sample{time.Duration(since * float64(time.Second)), used << 10}, true
}

// collections takes the collections out of what katrace wrote to stderr.
func (m *memory) collections(stderr string) (rest string) {
	var kept strings.Builder
	m.inUse = nil
	for line := range strings.Lines(stderr) {
		switch s, is := collection(line); {
		case is:
			m.inUse = append(m.inUse, s)
		case line == "GC forced\n": // sysmon's word with gctrace
		default:
			kept.WriteString(line)
		}
	}
	return strings.TrimSpace(kept.String())
}

// How much more there may be at the end, in KiB. The heap in use is known to a MiB.
const (
	moreInUse = 2 << 10
	moreOwn   = 6 << 10
)

// judge compares the end with the beginning.
func (m *memory) judge(whole time.Duration) (said string, wrong []string) {
	first, last := compared(whole)
	for _, of := range [...]struct {
		what    string
		samples []sample
		more    int // -1: it is not judged
	}{
		{"resident", m.resident, -1},
		{"resident without files and the ring buffer", m.own, moreOwn},
		{"the heap in use after a collection", m.inUse, moreInUse},
	} {
		before, ok := median(of.samples, first)
		after, there := median(of.samples, last)
		if !ok || !there {
			wrong = append(wrong, "memory: "+of.what+" was not measured at both ends")
			continue
		}
		most := slices.MaxFunc(of.samples, func(a, b sample) int { return a.kib - b.kib })
		said += fmt.Sprintf("memory, %s: %.1f MiB after %s, %.1f MiB at the end (medians of %s), %.1f MiB at most\n",
			of.what, mib(before), first[0].Round(time.Second), mib(after), (first[1] - first[0]).Round(time.Second), mib(most.kib))
		if of.more >= 0 && after > before+of.more {
			wrong = append(wrong, "memory: "+of.what+" grew")
		}
	}
	return said, wrong
}

func mib(kib int) float64 { return float64(kib) / 1024 }
