// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/jiffies"
)

func (s *scene) selected() string {
	if s.table.sel == nil {
		return ""
	}
	return s.table.sel.Remote.String()
}

func TestCursorStaysOnItsConnection(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("down", "down", "down", "down") // 10.0.0.13
	want := s.selected()
	steps := map[string]func(){
		"a worse one comes":  func() { s.event(ev(events.KindReset, 31, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"))) },
		"it gets better":     func() { s.event(ev(events.KindAnswer, 13, answered(time.Millisecond))) },
		"sorted by remote":   func() { s.press("s") },
		"reversed":           func() { s.press("r") },
		"sorted by the last": func() { s.press("S", "S") },
		"frozen":             func() { s.press("space") },
		"thawed":             func() { s.press("space") },
	}
	for _, name := range []string{"a worse one comes", "it gets better", "sorted by remote", "reversed", "sorted by the last", "frozen", "thawed"} {
		steps[name]()
		s.tick(time.Second)
		if got := s.selected(); got != want {
			t.Fatalf("%s: selected %s, want %s", name, got, want)
		}
		if !strings.Contains(s.text(), "▌") {
			t.Fatalf("%s: the selected row is not on the screen:\n%s", name, s.text())
		}
	}
}

func TestWithoutSelectionTheWorstStayOnTop(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.event(ev(events.KindReset, 33, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.tick(time.Second)
	if s.table.top != 0 || s.selected() != "" {
		t.Errorf("top %d, selected %q", s.table.top, s.selected())
	}
	if first := strings.Split(s.text(), "\n")[3]; !strings.Contains(first, "10.0.0.33:40033") {
		t.Errorf("first row: %s", first)
	}
}

func TestClosedConnection(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	before := len(s.snap.order)
	s.press("end", "up")
	gone := s.selected()
	s.press("enter")
	s.event(ev(events.KindClosed, 41))
	s.event(ev(events.KindClosed, 10)) // has ended: stays
	s.tick(time.Second)
	if got := s.selected(); got != gone || !s.detail.gone {
		t.Errorf("the open detail moved on to %s (gone %v)", got, s.detail.gone)
	}
	s.press("esc")
	s.tick(time.Second)
	if n := len(s.snap.order); n != before-1 {
		t.Errorf("%d rows, want %d", n, before-1)
	}
	if got := s.selected(); got == gone || got == "" {
		t.Errorf("selected %q after it has gone", got)
	}
}

func TestFreeze(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("space")
	body := func() string { return strings.Join(strings.Split(s.text(), "\n")[:23], "\n") }
	before := body()
	if !strings.Contains(before, "FROZEN") {
		t.Error("does not say FROZEN")
	}
	s.event(ev(events.KindReset, 13, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.tick(time.Hour)
	if after := body(); after != before {
		t.Errorf("a frozen view changed:\n%s\n%s", before, after)
	}
	s.press("d") // what is frozen can be looked through
	if n := len(s.snap.order); n != 2 {
		t.Errorf("%d ended while frozen, want 2", n)
	}
	s.press("d", "space")
	if got := s.snap.Counts[classTimedOut]; got != 2 {
		t.Errorf("%d timed out after thawing, want 2", got)
	}
}

func TestDismiss(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("x")
	if !strings.Contains(s.toast, "select") {
		t.Errorf("x without a selection: %q", s.toast)
	}
	s.press("end", "x")
	if !strings.Contains(s.toast, "not ended") {
		t.Errorf("x on a live one: %q", s.toast)
	}
	s.press("g", "x")
	if n := s.snap.EndedKept(); n != 1 {
		t.Errorf("%d ended after x, want 1", n)
	}
	s.press("X", "down", "X")
	if n := s.snap.EndedKept(); n != 1 {
		t.Errorf("X was taken for a yes with another key between: %d ended", n)
	}
	s.press("X")
	if n := s.snap.EndedKept(); n != 0 {
		t.Errorf("%d ended after X X, want 0", n)
	}
}

func TestFilter(t *testing.T) {
	for _, tt := range []struct {
		filter string
		want   int
	}{
		{"", 23}, {"silent", 3}, {"10.0.0.13", 1}, {":40013", 1}, {"[2001:db8:ffff", 1}, {"postgres", 21}, {"POSTGRES[813]", 1}, {"postgres/813", 0},
		{"silent 10.0.0.12", 1}, {"!alive", 11}, {"!alive !postgres", 2}, {"uid:105", 23}, {"nothing", 0}, {"!", 23}, {"unreach", 2},
		{"3f2a9c0d", 1}, {"0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50", 1}, {"!0b9e5c1a-", 22},
		{"etimedout", 1}, {"icmp", 1}, {"netns:4026531840", 23}, {"crio-3f2a9c", 1}, {"enabled", 1}, // as the row or the detail shows it
	} {
		s := newScene(t, testOptions, 80, 24)
		s.everyState()
		s.press("/")
		for _, r := range tt.filter {
			if r == ' ' {
				s.Update(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
				continue
			}
			s.press(string(r))
		}
		if n := len(s.snap.order); n != tt.want {
			t.Errorf("%q: %d rows, want %d", tt.filter, n, tt.want)
		}
		s.press("esc")
		if n := len(s.snap.order); n != 23 {
			t.Errorf("%q: %d rows after esc", tt.filter, n)
		}
	}
}

func TestFilterFollowsTheVerdict(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("/", "s", "i", "l", "enter")
	s.event(ev(events.KindAnswer, 13, answered(time.Millisecond)))
	s.tick(time.Second)
	if n := len(s.snap.order); n != 2 {
		t.Errorf("%d silent, want 2", n)
	}
}

// TestCopy: y copies the selected connection's latest event, as a line of the
// stream that the schema knows.
func TestCopy(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	if cmd := s.press("y"); cmd != nil {
		t.Error("copied without a selection")
	}
	s.press("down", "down", "down", "down")
	got := fmt.Sprint(s.press("y")())
	for _, want := range []string{`"event":"probe"`, `"unanswered":5`, `"seq":5`, `"verdict":"silent"`, `"comm":"postgres"`, `"dies_in_ms":20000`, `"port":40012`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	s.has(t, "sent the latest event to the clipboard")
	for s.press("g"); ; s.press("down") {
		checkEvent(t, fmt.Sprint(s.press("y")()))
		if s.table.selAt+1 == len(s.snap.order) {
			break
		}
	}
}

// TestCopyTellsOwner: an event that does not know the owner takes nothing away.
func TestCopyTellsOwner(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindProbe, 19, unanswered(1), inPod))
	s.event(ev(events.KindProbe, 19, unanswered(2), func(e *events.Event) { e.Process = conn.Process{} }))
	s.tick(time.Second)
	s.press("down")
	f := s.src.row(s.table.sel)
	got, want := f.event(), ev(events.KindProbe, 19, unanswered(2), inPod)
	if got.Unanswered != 2 || got.Process != want.Process || got.Cgroup != want.Cgroup || got.Container != want.Container || got.Pod != want.Pod {
		t.Errorf("%+v", got)
	}
}

func TestMouse(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	l := s.layout()
	s.lines()
	s.Update(tea.MouseClickMsg{X: 20, Y: l.rowsAt + 2, Button: tea.MouseLeft})
	if s.table.selAt != 2 || s.table.sel == nil {
		t.Fatalf("a click selected %d", s.table.selAt)
	}
	want := s.selected()
	for _, p := range s.table.placed {
		s.Update(tea.MouseClickMsg{X: p.x, Y: l.titlesAt, Button: tea.MouseLeft})
		if p.col != ColVerdict && s.query.Sort != p.col {
			t.Errorf("a click on %s sorts by %d", p.title, s.query.Sort)
		}
	}
	s.Update(tea.MouseClickMsg{X: s.table.placed[0].x, Y: l.titlesAt, Button: tea.MouseLeft})
	s.Update(tea.MouseClickMsg{X: 20, Y: l.rowsAt + s.table.selAt - s.table.top, Button: tea.MouseLeft})
	if !s.detail.open || s.selected() != want {
		t.Errorf("a click on the selected row: open %v, %s", s.detail.open, s.selected())
	}
	s.press("esc")

	// A spinning wheel: many messages, one move, nothing forgotten.
	at := s.table.selAt
	for range 3 {
		if msg := s.wheel.filter(s, tea.MouseWheelMsg{X: 5, Y: l.rowsAt, Button: tea.MouseWheelDown}); msg != nil {
			s.Update(msg)
		}
	}
	s.tick(time.Second)
	if got := s.table.selAt - at; got != 3*wheelLines {
		t.Errorf("the wheel moved by %d, want %d", got, 3*wheelLines)
	}
	if s.wheel.filter(s, tea.MouseMotionMsg{}) != nil {
		t.Error("mouse motion gets through")
	}
}

func TestCountdownRunsBetweenEvents(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindProbe, 13, unanswered(4))) // next in 10 s, dies in 30 s
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, "4/6 10s 30s"}, {200 * time.Millisecond, "4/6 9.8s 29s"}, {5 * time.Second, "4/6 4.8s 24s"}, {6 * time.Second, "4/6 now 18s"},
		{2 * time.Second, "4/6 no news no news"},
	} {
		s.tick(tt.after)
		if got := strings.Join(strings.Fields(s.text()), " "); !strings.Contains(got, tt.want) {
			t.Errorf("after %s more no %q in:\n%s", tt.after, tt.want, s.text())
		}
	}
}

// TestNoNewsOnlyAfterTheSlack: a timer of two hours may be a quarter of an hour
// late (HZ 300), and until then there is nothing to be missed. Of a recording's
// host the tick is not known: as late as on any kernel.
func TestNoNewsOnlyAfterTheSlack(t *testing.T) {
	long := keepalive(conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9})
	const quarter = 873813333333 * time.Nanosecond // 8^6 ticks of 1/300 s
	for _, tt := range []struct {
		hz   jiffies.HZ
		late time.Duration
	}{{300, quarter}, {250, 131072 * time.Millisecond}, {1000, 262144 * time.Millisecond}, {0, quarter}} {
		opt := testOptions
		opt.HZ = tt.hz
		s := newScene(t, opt, 80, 24)
		s.event(ev(events.KindAnswer, 1, long, answered(1)))
		// This one was listed ten minutes before its timer is due.
		s.clock.after(110 * time.Minute)
		s.list(socket(2, 110*time.Minute, 0, long, func(e *events.Event) { e.Next = 10 * time.Minute }))
		for _, at := range []struct {
			after time.Duration
			want  int
		}{{10 * time.Minute, 0}, {tt.late + onItsWay, 0}, {time.Nanosecond, 2}} {
			if s.tick(at.after); s.snap.NoNews != at.want {
				t.Errorf("HZ %d: no news of %d after %s more, want %d", tt.hz, s.snap.NoNews, at.after, at.want)
			}
		}
	}
	// After a probe it runs for the interval.
	opt := testOptions
	opt.HZ = 300
	s := newScene(t, opt, 80, 24)
	s.list(socket(1, 2*time.Hour+100*time.Second, 2, long))
	s.tick(50 * time.Second)
	if s.tick(20 * time.Second); s.snap.NoNews != 1 {
		t.Errorf("no news of %d, 20 s after a probe was due", s.snap.NoNews)
	}
}

// TestTimelineOfMany: what a recording says of intervals and ends does not keep
// the view drawing.
func TestTimelineOfMany(t *testing.T) {
	s := newScene(t, testOptions, 120, 50)
	s.event(ev(events.KindProbe, 1, keepalive(conn.Settings{Idle: time.Second, Interval: time.Millisecond, Count: 9, UserTimeout: time.Hour}), unanswered(1),
		func(e *events.Event) { e.DiesIn = 200 * 365 * 24 * time.Hour }))
	s.event(ev(events.KindProbe, 2, unanswered(1), func(e *events.Event) { e.Next, e.DiesIn, e.Keepalive.Interval = math.MaxInt64, math.MaxInt64, 1 }))
	s.tick(time.Millisecond)
	for range 2 {
		s.press("down", "enter")
		s.has(t, "Prediction")
		s.press("esc")
	}
}

// TestMoreThanTheKernelCounts: a row says how many probes are unanswered beyond
// 255, and where only a listing knows of them that it does not know.
func TestMoreThanTheKernelCounts(t *testing.T) {
	s := newScene(t, testOptions, 120, 50)
	ut := keepalive(conn.Settings{Idle: time.Second, Interval: time.Second, Count: 5, UserTimeout: 10 * time.Minute})
	s.event(ev(events.KindProbe, 1, ut, unanswered(300)))
	s.list(socket(2, 300*time.Second, 0, ut, verdict(events.VerdictSilent), func(e *events.Event) {
		e.Has &^= conn.HasUnanswered
		e.Next, e.DiesIn = time.Second, 300*time.Second
	}))
	s.tick(time.Millisecond)
	if got, want := s.counted(), "silent 2 "; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	s.has(t, "300/ut", "?/ut")
	s.press("down", "enter")
	s.has(t, "probe 300 unanswered", "300 probes unanswered.")
	s.press("esc", "down", "enter")
	s.has(t, "More probes than the kernel's counter of 8 bits holds are unanswered.")
}

func TestKeysOfTheHelpAreUsed(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	s.press("?")
	text := s.text()
	for _, g := range s.keys.FullHelp() {
		for _, b := range g {
			if !strings.Contains(text, b.Help().Desc) {
				t.Errorf("the help does not say %q", b.Help().Desc)
			}
		}
	}
	for _, k := range []string{"q", "ctrl+c"} {
		if s.press(k) == nil {
			t.Errorf("%s does not quit", k)
		}
	}
}

func TestTypingIsNotCommanding(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.press("/")
	for _, k := range []string{"q", "x", "d", "y", "?", "L", "G"} {
		s.press(k)
	}
	if got := s.input.String(); got != "qxdy?LG" || s.query.Ended || s.screen != screenTable {
		t.Errorf("typed %q", got)
	}
	s.Update(tea.PasteMsg{Content: "\x1b[31m10.0.0.1\n\u202e"})
	if got := s.input.String(); got != "qxdy?LG[31m10.0.0.1 " {
		t.Errorf("pasted %q", got)
	}
}
