// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/events"
)

// row is the row of the nth peer, blanks folded, with its inks or without.
func (s *scene) row(t *testing.T, remote string) string {
	t.Helper()
	for _, line := range strings.Split(s.text(), "\n") {
		if strings.Contains(line, remote) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	t.Fatalf("no row of %s in:\n%s", remote, s.text())
	return ""
}

// TestHealthyRow: a peer that answers looks healthy also while a probe is out,
// and the row says how old that news is. A second probe ends it.
func TestHealthyRow(t *testing.T) {
	s := newScene(t, testOptions, 80, 16)
	var got []string
	look := func(after time.Duration) {
		s.tick(after)
		got = append(got, s.row(t, "10.0.0.1:40001"))
	}
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	look(0)
	look(12 * time.Second)
	look(48 * time.Second)
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	look(time.Second)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	look(0)
	s.event(ev(events.KindProbe, 1, unanswered(2)))
	look(0)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond), func(e *events.Event) { // by data: the kernel's count stays
		e.Unanswered, e.Has = 2, e.Has|events.HasUnanswered
	}))
	look(0)
	want := []string{
		"● alive 0s 10.0.0.1:40001 postgres[801] 0/6 1m00s -",
		"● alive 12s 10.0.0.1:40001 postgres[801] 0/6 48s -",
		"● alive 1m00s 10.0.0.1:40001 postgres[801] 0/6 now -",
		"● alive 1m01s 10.0.0.1:40001 postgres[801] 1 out 9.0s -",
		"● alive 0s 10.0.0.1:40001 postgres[801] 0/6 1m00s -",
		"▲ silent 10.0.0.1:40001 postgres[801] ███░░░░░░ 2/6 10s 50s",
		"● alive 0s 10.0.0.1:40001 postgres[801] ███░░░░░░ 2/6 1m00s 2m00s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
