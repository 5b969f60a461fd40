// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestEnvironment: what the environment says of the terminal; what was asked
// for stays.
func TestEnvironment(t *testing.T) {
	for _, tt := range []struct {
		env          map[string]string
		was          Options
		color, ascii bool
	}{
		{map[string]string{"LANG": "C.UTF-8"}, Options{}, true, false},
		{map[string]string{"LANG": "C.UTF-8", "NO_COLOR": "1"}, Options{}, false, false},
		{map[string]string{"LANG": "C.UTF-8", "NO_COLOR": ""}, Options{}, true, false},
		{map[string]string{}, Options{}, true, true},
		{map[string]string{"LANG": "de_DE.utf8", "LC_ALL": "C"}, Options{}, true, true},
		{map[string]string{"LANG": "C.UTF-8"}, Options{NoColor: true, ASCII: true}, false, true},
	} {
		got := tt.was.in(func(name string) string { return tt.env[name] })
		if got.NoColor == tt.color || got.ASCII != tt.ascii {
			t.Errorf("%v: NoColor %v, ASCII %v", tt.env, got.NoColor, got.ASCII)
		}
	}
}

// TestEditingTheFilter: the keys of a line of text, as in a shell.
func TestEditingTheFilter(t *testing.T) {
	for _, tt := range []struct {
		text string
		keys []string
		want string
		at   int
	}{
		{"silent 10.0.0.1", []string{"ctrl+w"}, "silent ", 7},
		{"silent 10.0.0.1 ", []string{"ctrl+w"}, "silent ", 7},
		{"silent 10.0.0.1", []string{"ctrl+w", "ctrl+w", "ctrl+w"}, "", 0},
		{"silent", []string{"ctrl+a", "ctrl+w"}, "silent", 0},
		{"silent 10", []string{"ctrl+b", "ctrl+b", "ctrl+b", "ctrl+w"}, " 10", 0},
		{"silent", []string{"ctrl+a", "ctrl+f", "ctrl+k"}, "s", 1},
		{"silent", []string{"ctrl+b", "ctrl+u"}, "t", 0},
		{"silent", []string{"ctrl+a", "ctrl+d"}, "ilent", 0},
		{"silent", []string{"ctrl+a", "ctrl+e", "backspace"}, "silen", 5},
		{"silent", []string{"home", "!"}, "!silent", 1},
		{"silent", []string{"end", "ctrl+d", "home", "backspace", "ctrl+b"}, "silent", 0},
	} {
		s := newScene(t, testOptions, 80, 24)
		s.everyState()
		s.press("/")
		s.typed(tt.text)
		s.press(tt.keys...)
		if got := s.input.String(); got != tt.want || s.input.at != tt.at {
			t.Errorf("%q, %v: %q at %d, want %q at %d", tt.text, tt.keys, got, s.input.at, tt.want, tt.at)
		}
		if f := s.query.filter; strings.TrimSpace(tt.want) != "" && (f == nil || f.text != tt.want) {
			t.Errorf("%q, %v: filtered by %+v", tt.text, tt.keys, f)
		}
	}
}

// TestPaging: a page is what the pane shows, less a line to hold on to.
func TestPaging(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	for n := range 100 {
		s.event(ev(events.KindProbed, n))
	}
	s.tick(time.Second)
	rows := s.layout().rows
	for _, step := range []struct {
		key  string
		want int
	}{
		{"down", 0}, {"pgdown", rows - 1}, {"f", 2 * (rows - 1)}, {"pgup", rows - 1}, {"b", 0}, {"pgup", 0}, {"end", 99}, {"pgdown", 99}, {"up", 98}, {"home", 0},
	} {
		if s.press(step.key); s.table.selAt != step.want {
			t.Errorf("%s: row %d, want %d", step.key, s.table.selAt, step.want)
		}
	}
	s.press("L")
	last := func() string {
		lines := s.logLines()
		return strings.Fields(lines[len(lines)-1])[1]
	}
	page := s.layout().log - 2
	for _, step := range []struct {
		key  string
		want int
	}{
		{"pgup", 99 - page}, {"pgup", 99 - 2*page}, {"pgdown", 99 - page}, {"down", 100 - page}, {"G", 99}, {"pgdown", 99}, {"g", page},
	} {
		want := fmt.Sprintf("10.0.0.%d:%d", step.want, 40000+step.want)
		if s.press(step.key); last() != want {
			t.Errorf("log, %s: the last is %s, want %s", step.key, last(), want)
		}
	}
	s.press("esc", "enter")
	page = s.layout().detail - 2
	for range 40 {
		s.event(ev(events.KindProbed, 0))
	}
	s.tick(time.Second)
	for _, step := range []struct {
		key  string
		want int
	}{{"pgdown", page}, {"pgdown", 2 * page}, {"pgup", page}, {"J", page + 1}, {"K", page}, {"g", 0}, {"G", len(s.detail.lines) - page - 1}} {
		if s.press(step.key); s.detail.top != step.want {
			t.Errorf("detail, %s: line %d, want %d", step.key, s.detail.top, step.want)
		}
	}
}

// TestBackUndoesTheTopmost: esc goes back a step at a time.
func TestBackUndoesTheTopmost(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("d", "/")
	s.typed("10.0")
	s.press("enter", "down", "down", "enter", "L")
	type state struct {
		Screen              screen
		Detail, Filter, End bool
		Selected            bool
	}
	now := func() state {
		return state{s.screen, s.detail.open, s.query.filter != nil, s.query.Ended, s.table.sel != nil}
	}
	for i, want := range []state{
		{screenLog, true, true, true, true}, {screenTable, true, true, true, true}, {screenTable, false, true, true, true},
		{screenTable, false, false, true, true}, {screenTable, false, false, false, true}, {screenTable, false, false, false, false},
		{screenTable, false, false, false, false},
	} {
		if got := now(); !reflect.DeepEqual(got, want) {
			t.Errorf("after %d times esc: %+v, want %+v", i, got, want)
		}
		s.press("esc")
	}
	for _, open := range []string{"?", "c"} {
		if s.press(open); s.screen == screenTable {
			t.Errorf("%s opens nothing", open)
		}
		if s.press("esc"); s.screen != screenTable {
			t.Errorf("esc does not end %s", open)
		}
	}
}

// TestSuspend: ctrl+z hands the terminal back for a while, also while a filter is typed.
func TestSuspend(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	for range 2 {
		cmd := s.press("ctrl+z")
		if cmd == nil {
			t.Fatal("ctrl+z does nothing")
		}
		if _, ok := cmd().(tea.SuspendMsg); !ok {
			t.Errorf("ctrl+z: %T", cmd())
		}
		s.press("/")
	}
}

// TestColumnOrders: each column has its order, and what is not known or not
// shown comes last.
func TestColumnOrders(t *testing.T) {
	s := newScene(t, testOptions, 200, 24)
	s.event(ev(events.KindAnswer, 1, answered(3*time.Millisecond))) // healthy: has no giving up
	s.clock.after(time.Second)
	s.event(ev(events.KindProbe, 2, unanswered(5))) // 20 s to live
	s.clock.after(time.Second)
	s.event(ev(events.KindProbe, 3, keepalive(conn.Settings{Idle: time.Minute, Interval: 5 * time.Second, Count: 3}), unanswered(2)))
	s.clock.after(time.Second)
	s.event(ev(events.KindProbe, 4, keepalive(conn.Settings{Idle: time.Minute, Interval: 2 * time.Second, Count: 60}), unanswered(1)))
	s.event(ev(events.KindTimer, 5, verdict(events.VerdictSuspended), func(e *events.Event) {
		e.Reason, e.Process = events.ReasonDataInFlight, conn.Process{PID: 9, Comm: "apache"}
	}))
	s.tick(100 * time.Millisecond)
	for _, tt := range []struct {
		col  Column
		want []string
	}{
		{ColDeath, []string{"3", "2", "4", "1", "5"}},
		{ColNext, []string{"4", "3", "2", "1", "5"}},
		{ColUnanswered, []string{"2", "3", "4", "1", "5"}},
		{ColOwner, []string{"5", "1", "2", "3", "4"}},
		{ColRTT, []string{"1", "2", "3", "4", "5"}},
		{ColLast, []string{"4", "5", "3", "2", "1"}},
		{ColRemote, []string{"1", "2", "3", "4", "5"}},
	} {
		if got := s.order(Query{Sort: tt.col}); !slices.Equal(got, tt.want) {
			t.Errorf("by %s: %v, want %v", columnSpecs[tt.col].title, got, tt.want)
		}
		slices.Reverse(tt.want)
		if got := s.order(Query{Sort: tt.col, Reverse: true}); !slices.Equal(got, tt.want) {
			t.Errorf("by %s, reversed: %v, want %v", columnSpecs[tt.col].title, got, tt.want)
		}
	}
}
