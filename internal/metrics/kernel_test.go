// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"errors"
	"testing"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// TestKernelCounts: what the kernel's side counted is exposed, each count once, and
// the same of events is not counted beside it.
func TestKernelCounts(t *testing.T) {
	var counts events.Counts
	var failed error
	m := New(Options{Counts: func() (events.Counts, error) { return counts, failed }})
	before := text(t, m)
	counts[loader.CountSent], counts[loader.CountFailed], counts[loader.CountSilent] = 5, 1, 2
	counts[loader.CountEnded+4*int(events.ByPeer)+int(events.RSTAbort)] = 3
	counts[loader.CountICMP4Unreachable+13], counts[loader.CountICMP6Unreachable+1] = 4, 4
	for _, e := range []*events.Event{event(events.KindProbe, func(e *events.Event) { e.Change = events.ChangeSilent }),
		event(events.KindReset, nil), event(events.KindICMP, nil), event(events.KindAnswer, nil), event(events.KindProbed, nil)} {
		if err := m.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"probes_total{result=sent}": "5", "probes_total{result=failed}": "1", "connections_silent_total": "2",
		"ended_total{by=peer_abort}": "3", "icmp_errors_total{reason=prohibited}": "8"}
	for range 2 { // a second scrape adds nothing
		for series, n := range text(t, m) {
			if w, counted := want[series]; counted && n != w || !counted && n != before[series] {
				t.Errorf("%s is %s, was %s before, want %q", series, n, before[series], w)
			}
		}
	}
	failed = errors.New("no")
	if _, err := m.gather(); !errors.Is(err, failed) {
		t.Errorf("a scrape where the counters cannot be read: %v", err)
	}
}

// TestCountsAreWhole: each count is one of something, and exposed where the backend
// knows everything.
func TestCountsAreWhole(t *testing.T) {
	m := New(Options{Counts: func() (events.Counts, error) { return events.Counts{}, nil }})
	for i, e := range events.Counted() {
		if e.Kind == 0 && e.Change == 0 {
			t.Errorf("count %d is of nothing", i)
		}
		if m.kernel.to[i] == nil {
			t.Errorf("count %d is not exposed", i)
		}
	}
}
