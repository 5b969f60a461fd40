// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCollections(t *testing.T) {
	var m memory
	rest := m.collections("katrace: attached by tracepoint\n" +
		"gc 1 @0.012s 2%: 0.018+1.2+0.003 ms clock, 0.036+0.5/1.1/0.2+0.006 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n" +
		"gc 27 @1203.500s 0%: 0.1+12+0.02 ms clock, 0.2+0/12/0+0.04 ms cpu, 41->43->21 MB, 42 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)\n" +
		"GC forced\n" +
		"gc is what katrace: says\n")
	want := []sample{{12 * time.Millisecond, 1 << 10}, {1203500 * time.Millisecond, 21 << 10}}
	if !slices.Equal(m.inUse, want) {
		t.Errorf("collections: %v, want %v", m.inUse, want)
	}
	if rest != "katrace: attached by tracepoint\ngc is what katrace: says" {
		t.Errorf("the rest: %q", rest)
	}
}

// TestJudgeMemory: a sawtooth is no growth, a leak below it is.
func TestJudgeMemory(t *testing.T) {
	run := func(whole time.Duration, inUse func(minute float64) float64) []string {
		var m memory
		for at := time.Duration(0); at <= whole; at += 5 * time.Second {
			used := inUse(at.Minutes())
			// Twice as much by the next collection, each minute and a half.
			grown := used * (1 + float64(at%(90*time.Second))/float64(90*time.Second))
			m.own = append(m.own, sample{at, int(1024 * (2 + grown))})
			m.resident = append(m.resident, sample{at, int(1024 * (40 + grown))})
			if at%(90*time.Second) == 0 {
				m.inUse = append(m.inUse, sample{at, int(used) << 10})
			}
		}
		said, wrong := m.judge(whole)
		t.Log(said)
		return wrong
	}
	for _, minutes := range []int{6, 25, 60} {
		whole := time.Duration(minutes) * time.Minute
		if wrong := run(whole, func(float64) float64 { return 12 }); len(wrong) > 0 {
			t.Errorf("%d minutes without growth: %v", minutes, wrong)
		}
		leaks := 6 / whole.Minutes() * 2 // MiB a minute
		if wrong := run(whole, func(at float64) float64 { return 3 + leaks*at }); !strings.Contains(fmt.Sprint(wrong), "in use") {
			t.Errorf("%d minutes with a leak of %.1f MiB a minute: %v", minutes, leaks, wrong)
		}
	}
	if _, wrong := new(memory).judge(time.Hour); len(wrong) != 3 {
		t.Errorf("nothing was measured: %v", wrong)
	}
}
