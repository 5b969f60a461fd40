// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"fmt"
	"testing"
	"time"

	"katrace/internal/events"
)

// TestCoverage: a quiet hour, a suspended machine, a stop and a crash are told
// apart, and a clock that was set is no gap.
func TestCoverage(t *testing.T) {
	type said struct {
		minute   float64
		kind     events.Kind
		asleep   time.Duration
		clockSet time.Duration
	}
	probe := func(minute float64) said { return said{minute, events.KindProbe, 0, 0} }
	start := func(minute float64) said { return said{minute, events.KindStart, 0, 0} }
	stop := func(minute float64) said { return said{minute, events.KindStop, 0, 0} }
	beat := func(minute float64) said { return said{minute, events.KindHeartbeat, 0, 0} }
	for _, tt := range []struct {
		name string
		in   []said
		want string
	}{
		{"a quiet hour", []said{start(0), beat(1), beat(2), beat(3), stop(3.5)}, "0-3.5"},
		{"events and no heartbeats, of old", []said{probe(0), probe(60)}, "0-60 unmarked"},
		{"suspended", []said{start(0), beat(1), {61, events.KindHeartbeat, time.Hour, 0}, beat(62)}, "0-62 open 1-61 asleep"},
		{"suspended, an event before the heartbeat", []said{start(0), beat(1), probe(61), {61.5, events.KindHeartbeat, time.Hour, 0}}, "0-61.5 open 1-61 asleep"},
		{"the clock was set forward", []said{start(0), beat(1), {61, events.KindHeartbeat, 0, 59 * time.Minute}, beat(62)}, "0-62 open"},
		{"the clock was set back", []said{start(60), beat(61), {2, events.KindHeartbeat, 0, -60 * time.Minute}, beat(3)}, "60-61 open"},
		{"it stood still", []said{start(0), beat(1), beat(10)}, "0-10 open 1-10 stalled"},
		{"it stood still, then it slept", []said{start(0), beat(1), beat(10), {30, events.KindHeartbeat, 19 * time.Minute, 0}}, "0-30 open 1-10 stalled 10-30 asleep"},
		{"stopped, and begun again", []said{start(0), stop(1), start(5), beat(6)}, "0-6 open 1-5 stopped"},
		{"killed, and begun again", []said{start(0), beat(1), probe(1.5), start(5), stop(6)}, "0-6 1.5-5 cut"},
		{"another file", []said{start(0), beat(1), {1.5, events.KindStart, 0, 0}, beat(2), stop(3)}, "0-3"},
		{"killed, and somebody set sockets meanwhile", []said{start(0), beat(1), {3, events.KindSet, 0, 0}, start(5), stop(6)}, "0-6 1-5 cut"},
		{"somebody set sockets before", []said{{-1, events.KindSet, 0, 0}, start(0), beat(1), stop(1.5)}, "0-1.5"},
		{"the clock was set back, and it was begun again", []said{start(60), beat(61), start(2), beat(3)}, "2-3 open"},
		{"stopped, the clock was set back, and begun again", []said{start(60), stop(61), start(2), beat(3)}, "2-3 open"},
		{"killed, and begun again at once", []said{start(0), beat(1), start(1.1), stop(6)}, "0-6 1-1.1 cut 1.1-6 stalled"},
	} {
		var c Coverage
		for _, s := range tt.in {
			e := events.Event{Time: midnight.Add(time.Duration(s.minute * float64(time.Minute))), Kind: s.kind}
			if s.kind.OfTracing() {
				e.Tracing = &events.Tracing{Asleep: s.asleep, ClockSet: s.clockSet, Continues: tt.name == "another file"}
			}
			c.Add(&e, "a")
		}
		minutes := func(t time.Time) string { return fmt.Sprint(t.Sub(midnight).Minutes()) }
		h := c.Host("a")
		got := minutes(h.First) + "-" + minutes(h.Last)
		switch {
		case !h.Marked:
			got += " unmarked"
		case !h.Stopped:
			got += " open"
		}
		for _, g := range h.Gaps {
			got += fmt.Sprintf(" %s-%s %s", minutes(g.From), minutes(g.To), [...]string{"stalled", "asleep", "stopped", "cut"}[g.Why])
			if _, recorded, _ := c.Recorded("a", g.From.Add(g.To.Sub(g.From)/2)); recorded {
				t.Errorf("%s: recorded within a gap", tt.name)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRecorded: what was recorded when, as far as that can be known yet.
func TestRecorded(t *testing.T) {
	var c Coverage
	for i, kind := range []events.Kind{events.KindStart, events.KindHeartbeat} {
		c.Add(&events.Event{Time: midnight.Add(time.Duration(i) * time.Minute), Kind: kind, Tracing: &events.Tracing{}}, "a")
	}
	at := func(minute float64) time.Time { return midnight.Add(time.Duration(minute * float64(time.Minute))) }
	for _, s := range []struct {
		host            string
		minute          float64
		recorded, known bool
	}{{"a", -1, false, true}, {"a", 0.5, true, true}, {"a", 2.5, true, true}, {"a", 3.5, false, true}, {"b", 0.5, false, true}} {
		if why, recorded, known := c.Recorded(s.host, at(s.minute)); recorded != s.recorded || known != s.known {
			t.Errorf("%s at %g: %t, %t, %d", s.host, s.minute, recorded, known, why)
		}
	}
	c.Finish() // nothing more comes: it was cut off
	if _, recorded, _ := c.Recorded("a", at(1.5)); recorded {
		t.Error("recorded beyond the last line")
	}
}

// TestCoverageIsBounded: whatever a recording holds. Nothing is said to be known of
// what there was no room for.
func TestCoverageIsBounded(t *testing.T) {
	var c Coverage
	at := midnight
	for i := range maxGaps + 10 {
		at = midnight.Add(time.Duration(i) * time.Second)
		c.Add(&events.Event{Time: at, Kind: events.KindStart, Tracing: &events.Tracing{}}, "a")
	}
	h := c.Host("a")
	if len(h.Gaps) != maxGaps || h.More != 9 || !h.Gaps[maxGaps-1].To.Equal(at) {
		t.Errorf("%d gaps, %d more, to %s", len(h.Gaps), h.More, h.Gaps[len(h.Gaps)-1].To)
	}
	if c.Full() {
		t.Error("full of one host")
	}
	for i := range maxHosts {
		c.Add(&events.Event{Time: at, Kind: events.KindProbe}, fmt.Sprint(i))
	}
	if len(c.Hosts()) != maxHosts || !c.Full() {
		t.Errorf("%d hosts", len(c.Hosts()))
	}
	if _, recorded, known := c.Recorded("another", at); !recorded || known {
		t.Error("it is said to be known of a host for which there was no room")
	}
}
