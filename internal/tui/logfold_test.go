// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/events"
)

// logLines are the lines of the log pane, without its title and the times.
func (s *scene) logLines() (lines []string) {
	for _, line := range strings.Split(s.text(), "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[0], "01:") {
			lines = append(lines, strings.Join(fields[1:], " "))
		} else if len(fields) > 1 && fields[0] == "…" {
			lines = append(lines, strings.Join(fields, " "))
		}
	}
	return lines
}

// TestHealthyPairsAreOneLine: answers that nobody waited for long are one line
// with their probes; what is news has a line of its own.
func TestHealthyPairsAreOneLine(t *testing.T) {
	probe, probe2 := unanswered(1), unanswered(2)
	rtt := func(d time.Duration) func(*events.Event) { return answered(d) }
	one := func(n int, d time.Duration) []events.Event {
		return []events.Event{ev(events.KindProbe, n, probe), ev(events.KindAnswer, n, rtt(d))}
	}
	all := func(lists ...[]events.Event) (out []events.Event) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	for _, tt := range []struct {
		name string
		play []events.Event
		want []string
	}{
		{"a probe that is out", all(one(1, 90*time.Microsecond)[:1]), []string{"- 10.0.0.1:40001 probe 1/6 sent, idle 60s, gives up in 60s"}},
		{"one pair", one(1, 90*time.Microsecond), []string{"● 10.0.0.1:40001 peer answered, round trip 90us, timer fires in 60s"}},
		{"two of one peer", all(one(1, 90*time.Microsecond), one(1, 90*time.Microsecond)), []string{"● 10.0.0.1:40001 2 probes answered, round trips 90us"}},
		{"of two peers, interleaved", []events.Event{
			ev(events.KindProbe, 1, probe), ev(events.KindProbe, 2, probe), ev(events.KindAnswer, 1, rtt(70*time.Microsecond)), ev(events.KindAnswer, 2, rtt(4*time.Millisecond)),
		}, []string{"● 2 peers 2 probes answered, round trips 70us to 4ms"}},
		{"news amid", all(one(1, time.Millisecond), []events.Event{ev(events.KindProbed, 3)}, one(2, time.Millisecond)), []string{
			"● 10.0.0.1:40001 peer answered, round trip 1ms, timer fires in 60s",
			"- 10.0.0.3:40003 peer sent a keepalive probe, this side answers",
			"● 10.0.0.2:40002 peer answered, round trip 1ms, timer fires in 60s",
		}},
		{"a recovery", all([]events.Event{ev(events.KindProbe, 1, probe), ev(events.KindProbe, 1, probe2), ev(events.KindAnswer, 1, rtt(time.Millisecond))}, one(1, time.Millisecond)), []string{
			"- 10.0.0.1:40001 probe 1/6 sent, idle 60s, gives up in 60s",
			"▲ 10.0.0.1:40001 probe 2/6 unanswered, idle 70s, gives up in 50s",
			"● 10.0.0.1:40001 peer answered, round trip 1ms, timer fires in 60s",
			"● 10.0.0.1:40001 peer answered, round trip 1ms, timer fires in 60s",
		}},
		{"after an ICMP error", []events.Event{
			ev(events.KindProbe, 1, probe), ev(events.KindICMP, 1, func(e *events.Event) { e.ICMP.Text = "host unreachable" }), ev(events.KindAnswer, 1, rtt(time.Millisecond)),
		}, []string{
			"- 10.0.0.1:40001 probe 1/6 sent, idle 60s, gives up in 60s",
			"- 10.0.0.1:40001 ICMP host unreachable",
			"● 10.0.0.1:40001 peer answered, round trip 1ms, timer fires in 60s",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 99, 40)
			for _, e := range tt.play {
				s.event(e)
			}
			s.tick(0)
			s.press("L")
			if diff := cmp.Diff(tt.want, s.logLines()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestFoldedLinesGrowAndEnd: a line takes in what comes, and ends where events
// are missing.
func TestFoldedLinesGrowAndEnd(t *testing.T) {
	s := newScene(t, testOptions, 99, 40)
	s.press("L")
	many := func(n int) {
		for range n {
			s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
		}
		s.tick(time.Second)
	}
	many(3)
	many(4)
	many(logBurst + 50)
	many(5)
	want := []string{"● 10.0.0.1:40001 207 probes answered, round trips 1ms", "… 50 events not shown", "● 10.0.0.1:40001 5 probes answered, round trips 1ms"}
	if diff := cmp.Diff(want, s.logLines()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.press("/")
	s.typed("nothing")
	if got := s.logLines(); len(got) != 0 {
		t.Errorf("filtered: %q", got)
	}
	s.press("esc")
	if got := s.logLines(); len(got) != 3 {
		t.Errorf("without the filter: %q", got)
	}
}
