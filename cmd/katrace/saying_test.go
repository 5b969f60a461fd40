// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"
	"time"
)

// TestNoteClock: that the wall clock was set is said at once, and summed up.
func TestNoteClock(t *testing.T) {
	var said strings.Builder
	s := &stream{say: &said}
	for _, by := range []time.Duration{0, -time.Hour, 0, 1500 * time.Millisecond} {
		s.noteClock(by)
	}
	want := "katrace: the wall clock was set back by 1h0m0s: times of events follow it from here on\n" +
		"katrace: the wall clock was set forward by 1.5s: times of events follow it from here on\n"
	if said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
	if got := s.summary(2 * time.Second); !strings.HasSuffix(got, "nothing lost; the wall clock was set back by 59m58.5s under way") {
		t.Errorf("summary %q", got)
	}
	quiet := &stream{}
	if quiet.noteClock(0); strings.Contains(quiet.summary(time.Second), "clock") {
		t.Errorf("summary %q", quiet.summary(time.Second))
	}
}

// TestNoteNames: a home that does not answer is said once, or in the summary.
func TestNoteNames(t *testing.T) {
	const want = `names of users' containers are late: /home/a?n, the home of uid 1000, does not answer`
	var said strings.Builder
	for _, s := range []*stream{{say: &said}, {}} {
		for _, home := range []string{"", "/home/a\x1bn", "/home/ben", "", "/home/ben"} {
			s.noteNames(home, 1000)
		}
		if got := strings.Contains(s.summary(time.Second), want); got != (s.say == nil) {
			t.Errorf("in the summary: %v", got)
		}
	}
	if got := said.String(); got != "katrace: "+want+"\n" {
		t.Errorf("said %q", got)
	}
}
