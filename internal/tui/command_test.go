// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

var twoHours = conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, Inherited: conn.AllSettings}

// TestCopyCommand: Y copies the command that the advice on the selected connection
// names, again the next one, and says where there is none.
func TestCopyCommand(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	if cmd := s.press("Y"); cmd != nil {
		t.Error("copied without a selection")
	}
	alive := func(n int, k conn.Settings) events.Event {
		return ev(events.KindAnswer, n, keepalive(k), answered(time.Millisecond))
	}
	s.event(alive(1, conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}))
	s.event(alive(2, twoHours))
	s.event(alive(3, twoHours))
	s.event(ev(events.KindSuspended, 3, keepalive(twoHours), verdict(events.VerdictSuspended), func(e *events.Event) {
		e.WaitsFor, e.Unacked, e.Has = conn.WaitsRetransmission, 100, e.Has|conn.HasUnacked
	}))
	s.tick(time.Second)
	idle := "katrace set --netns 4026531840 --comm postgres --local-port 5432 --idle-limit azure --on --idle 223s"
	data := "katrace set --netns 4026531840 --addr 10.0.0.3 --local-port 5432 --remote-port 40003 --user-timeout 60s"
	want := map[uint64][]string{1: nil, 2: {idle, idle}, 3: {data, idle, data}}
	for s.press("g"); ; s.press("down") {
		id := s.src.row(s.table.sel).id
		for _, line := range want[id] {
			cmd := s.press("Y")
			if cmd == nil {
				t.Fatalf("connection %d: nothing copied, want %s", id, line)
			}
			if got := fmt.Sprint(cmd()); got != line {
				t.Errorf("connection %d: %s, want %s", id, got, line)
			}
			s.has(t, "sent to the clipboard (OSC 52)")
		}
		if want[id] == nil {
			if cmd := s.press("Y"); cmd != nil {
				t.Errorf("connection %d: copied %v", id, cmd())
			}
			s.has(t, "no change of its settings is advised")
		}
		delete(want, id)
		if s.table.selAt+1 == len(s.snap.order) {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("not tried: %v", want)
	}
	s.event(ev(events.KindReset, 2, keepalive(twoHours), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.tick(time.Second)
	s.press("g")
	if cmd := s.press("Y"); cmd != nil {
		t.Errorf("of a connection that has ended: copied %v", cmd())
	}
	s.has(t, "has ended")
}

// TestSetIsShown: a recording's event "set" is in the log and in the story of its
// connection, and the settings are the new ones; alone it makes no row.
func TestSetIsShown(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	before := conn.Values{Known: conn.AllFields, On: true, Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9}
	after := before
	after.Idle, after.Interval, after.UserTimeout = time.Minute, 10*time.Second, 30*time.Second
	set := func(n int) events.Event {
		return ev(events.KindSet, n, func(e *events.Event) {
			e.Keepalive, e.Has = conn.Settings{}, 0
			e.Set = &events.Set{By: events.Setter{PID: 7, UID: 0, Login: 1000}, Before: before, After: after}
		})
	}
	s.event(ev(events.KindProbe, 1, keepalive(twoHours), unanswered(1)))
	s.event(set(1))
	s.event(set(2)) // of which nothing else is known
	s.tick(time.Second)
	if n := len(s.snap.order); n != 1 {
		t.Fatalf("%d rows, want 1", n)
	}
	words := "katrace set by uid 0 (logged in as uid 1000): 2h/75s/9 -> 60s/10s/9, user 30s"
	s.press("down")
	f := s.src.row(s.table.sel)
	want := conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 9, UserTimeout: 30 * time.Second, Inherited: conn.SettingCount}
	if f.Keepalive != want || f.next != 0 || f.dies != 0 {
		t.Errorf("%+v, fires at %d, dies at %d; want %+v and neither", f.Keepalive, f.next, f.dies, want)
	}
	s.press("enter")
	if story := strings.Join(s.detail.lines, "\n"); strings.Count(story, words) != 1 {
		t.Errorf("the story:\n%s", story)
	}
	s.press("esc", "L")
	if log := s.text(); strings.Count(log, "katrace set by uid 0") != 2 {
		t.Errorf("the log:\n%s", log)
	}
}
