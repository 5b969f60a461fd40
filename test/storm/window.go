// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"katrace/internal/lab"
	"katrace/test/peers"
)

// window is what was used and counted between two looks.
type window struct {
	took         time.Duration
	system, user float64 // CPU seconds of the whole machine
	katrace      float64 // CPU seconds of katrace or another tool, both kinds
	programs     float64 // seconds in its BPF programs, if the kernel counts them
	peak         uint64  // bytes, katrace's resident memory at its highest
	probes       uint64  // sent within the window
	counted      uint64  // sent from switching on to switching off
	dropped      uint64  // packets that the kernel did not queue within the window
	at           time.Time
}

// hz is USER_HZ, the unit of /proc's times.
const hz = 100

// look reads what has been used so far.
func look(t *tracer) (window, error) {
	w := window{at: time.Now()}
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return w, err
	}
	var user, nice, system, idle, iowait, irq, softirq uint64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq); err != nil {
		return w, fmt.Errorf("/proc/stat: %w", err)
	}
	w.user, w.system = float64(user+nice)/hz, float64(system+irq+softirq)/hz
	if w.probes, err = lab.ProbesSent(); err != nil {
		return w, err
	}
	if w.dropped, err = dropped(); err != nil {
		return w, err
	}
	if t == nil {
		return w, nil
	}
	pid := t.cmd.Process.Pid
	for _, process := range family(pid) {
		w.katrace += cpu(process)
	}
	inside, err := peers.Runtime(pid)
	if err != nil && !errors.Is(err, peers.ErrNoPrograms) {
		return w, err
	}
	w.programs = inside.Seconds()
	w.peak = t.peak.bytes.Load()
	return w, nil
}

// cpu is the CPU seconds that a process took, and the children that it waited for; 0 for
// one that has ended.
func cpu(process string) float64 {
	stat, _ := os.ReadFile("/proc/" + process + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0
	}
	var own, children [2]uint64 // user and system
	_, _ = fmt.Sscan(strings.Join(fields[11:15], " "), &own[0], &own[1], &children[0], &children[1])
	return float64(own[0]+own[1]+children[0]+children[1]) / hz
}

func (w window) since(was window) window {
	w.took = w.at.Sub(was.at)
	w.system -= was.system
	w.user -= was.user
	w.katrace -= was.katrace
	w.programs -= was.programs
	w.probes -= was.probes
	w.dropped -= was.dropped
	return w
}

func (w window) rate() float64 { return float64(w.probes) / w.took.Seconds() }

// cores is the machine's CPU in use, katrace's and the load's own included.
func (w window) cores() string {
	return fmt.Sprintf("system %.2f, user %.2f cores", w.system/w.took.Seconds(), w.user/w.took.Seconds())
}

func (w window) String() string {
	s := fmt.Sprintf("%.0f probes/s, %s", w.rate(), w.cores())
	if w.dropped > 0 {
		s += fmt.Sprintf(" (%d packets dropped on lo, so as many probes and answers: see -backlog)", w.dropped)
	}
	return s
}

// report says what katrace took, and holds what it told against the kernel's count.
func (w window) report(t told) string {
	// A record that the ring had no room for may have been an answer's, and is then
	// no probe: these are a bound. Each missed firing is one.
	short := int64(w.counted) - int64(t.probes) - int64(t.lost.Missed)
	verdict := "exact, nothing lost"
	switch {
	case t.quiet:
		verdict = "see the metrics"
	case short < 0:
		verdict = fmt.Sprintf("%d TOO MANY", -short)
	case short > int64(t.lost.Ring):
		verdict = fmt.Sprintf("%d NOT ACCOUNTED FOR", short-int64(t.lost.Ring))
	case t.lost.Ring > 0:
		verdict = "every loss counted"
	case t.lost.Missed > 0:
		verdict = "exact, told + missed is what the kernel counts"
	}
	// Events are counted over the whole time, so their rate is by the probes'.
	events := w.rate() * float64(t.events) / float64(max(w.counted, 1))
	return fmt.Sprintf("%.2f cores, %d MiB at most, %.0f events/s, %.1f %% with the owner's name\n",
		w.katrace/w.took.Seconds(), w.peak>>20, events, 100*float64(t.owned)/float64(max(t.events, 1))) +
		fmt.Sprintf("  probes   the kernel counts %d, katrace tells %d, lost: ring %d, missed %d, follow %d: %s",
			w.counted, t.probes, t.lost.Ring, t.lost.Missed, t.lost.Follow, verdict)
}
