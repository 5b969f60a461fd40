// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A look at the clock takes less; what takes longer is an interruption.
const interruption = time.Microsecond

// watch waits until the deadline, and returns the time that this thread did not get
// meanwhile. Instructions are counted where they are run, so there it only sleeps.
func (b *bench) watch(start time.Time, until time.Duration) time.Duration {
	if b.count {
		time.Sleep(time.Until(start.Add(until)))
		return 0
	}
	return stolen(start, until)
}

// stolen spins until the deadline and adds up the time that this thread did
// not get: interrupts and the softirqs after them, the timers among these.
func stolen(start time.Time, until time.Duration) time.Duration {
	var sum time.Duration
	before := time.Since(start)
	for before < until {
		now := time.Since(start)
		if gap := now - before; gap > interruption {
			sum += gap
		}
		before = now
	}
	return sum
}

// others is how long other threads have run while this one wanted to: the time
// that it has waited for the processor, but for the kernel's thread that does
// the softirqs' work when there is much.
type others struct{ softirqd string }

// findOthers looks for the softirqs' thread of this processor.
func findOthers(cpu int) others {
	var o others
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range names {
		comm, _ := os.ReadFile(name)
		if strings.TrimSpace(string(comm)) == fmt.Sprintf("ksoftirqd/%d", cpu) {
			o.softirqd = filepath.Dir(name) + "/schedstat"
		}
	}
	return o
}

func (o others) ran() (time.Duration, error) {
	_, waited, err := schedstat("/proc/thread-self/schedstat")
	if err != nil || o.softirqd == "" {
		return waited, err
	}
	ran, _, err := schedstat(o.softirqd)
	return waited - ran, err
}

// schedstat is how long a thread has run and waited for a processor.
func schedstat(name string) (ran, waited time.Duration, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", name, err)
	}
	return ran, waited, nil
}
