// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/internal/events"
)

// list makes a complete listing of what the kernel shows now.
func (s *scene) list(sockets ...events.Event) {
	l := s.store.Listing()
	for _, e := range sockets {
		l.Add(s.at(e))
	}
	l.Done(0)
}

// at dates what has no time yet.
func (s *scene) at(e events.Event) *events.Event {
	if e.Time.IsZero() {
		e.Time = s.clock.now
	}
	return &e
}

// socket is the nth peer's connection as a listing shows it, idle for so long,
// with so many probes out.
func socket(n int, idleFor time.Duration, unanswered int, with ...func(*events.Event)) events.Event {
	return ev(0, n, append([]func(*events.Event){func(e *events.Event) {
		k := e.Keepalive
		e.IdleFor, e.Unanswered = idleFor, unanswered
		e.Next = k.Idle - idleFor
		if unanswered > 0 {
			e.Next = k.Idle + time.Duration(unanswered)*k.Interval - idleFor
		}
		if unanswered > 1 {
			e.Verdict = events.VerdictSilent
		}
		e.DiesIn = k.DiesIn(unanswered, idleFor, e.Next)
		e.Has |= conn.HasIdleFor | conn.HasUnanswered | conn.HasNext | conn.HasDiesIn
	}}, with...)...)
}

func suspended(e *events.Event) {
	e.Verdict = events.VerdictSuspended
	e.Has &^= conn.HasUnanswered | conn.HasNext | conn.HasDiesIn
}

// listedScene plays a start beside connections that exist: idle ones, one whose
// peer is silent already, one with data in flight; then an event of one of them.
func (s *scene) listedScene() {
	s.list(socket(1, 15*time.Second, 0), socket(2, 3*time.Second, 0), socket(3, 85*time.Second, 3), socket(4, 20*time.Second, 0, suspended),
		socket(5, 59*time.Second, 0), socket(6, 30*time.Second, 0, func(e *events.Event) {
			e.Keepalive.Inherited, e.Keepalive.Unsure = 0, conn.SettingIdle|conn.SettingInterval
			e.Process = conn.Process{}
		}))
	s.tick(time.Second)
	s.event(ev(events.KindProbe, 5, unanswered(1)))
	s.tick(time.Second)
}

func (s *scene) counted() string {
	var b strings.Builder
	for c, n := range s.snap.Counts {
		if n > 0 {
			fmt.Fprintf(&b, "%s %d ", class(c), n)
		}
	}
	return b.String()
}

func (s *scene) has(t *testing.T, want ...string) {
	t.Helper()
	text := strings.Join(strings.Fields(s.text()), " ")
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, s.text())
		}
	}
}

// TestListedBeforeTheFirstEvent: who is there already shows at once, with its
// countdowns, and nobody is said to be alive.
func TestListedBeforeTheFirstEvent(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	s.listedScene()
	if got, want := s.counted(), "silent 1 suspended 1 asking 1 waiting 3 "; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	s.has(t, "10.0.0.1:40001 10.0.0.1:5432 postgres[801] 0/6 43s 103s listed 2s", "postgres[803] ███░░ 3/6 3s 33s listed 2s")
	if s.snap.Total != 1 {
		t.Errorf("%d events, want 1: a listing is none", s.snap.Total)
	}
}

// TestHeardByDataIsNotAsking: of probes that the kernel still counts, though the
// peer was heard since, none is out.
func TestHeardByDataIsNotAsking(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	s.list(socket(1, 20*time.Millisecond, 3, verdict(0)), socket(2, time.Minute, 1))
	s.tick(time.Second)
	if got, want := s.counted(), "asking 1 waiting 1 "; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

func TestListedRowGoesWithItsSocket(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.listedScene()
	// Only the first is still there; of the fifth an event came.
	s.list(socket(1, 20*time.Second, 0))
	s.tick(time.Second)
	if got, want := s.counted(), "asking 1 waiting 1 "; got != want {
		t.Errorf("counted %q, want %q", got, want)
	}
	s.event(ev(events.KindClosed, 5))
	s.event(ev(events.KindClosed, 1)) // followed since another handler saw it
	s.list()
	s.tick(time.Second)
	if got := s.counted(); got != "" {
		t.Errorf("counted %q after all have gone", got)
	}
	if s.store.unseen != 0 || len(s.store.byConn.all) != 0 {
		t.Errorf("%d unseen, %d tuples left", s.store.unseen, len(s.store.byConn.all))
	}
}

func TestFailedListingDropsNothing(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.list(socket(1, time.Second, 0), socket(2, time.Second, 0))
	l := s.store.Listing()
	l.Add(s.at(socket(1, time.Second, 0)))
	l.Fail()
	s.tick(time.Second)
	if got, want := s.counted(), "waiting 2 "; got != want {
		t.Errorf("counted %q, want %q", got, want)
	}
}

// TestListingAndEventsAtOnce: what happens while a listing is on its way wins.
func TestListingAndEventsAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event events.Event
		want  string
	}{
		{"a probe", ev(events.KindProbe, 1, unanswered(1)), "asking 1 "},
		{"an end", ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")), "timed_out 1 "},
		{"a close", ev(events.KindClosed, 1), ""},
		{"another connection of the same tuple", ev(events.KindAnswer, 1, answered(1), func(e *events.Event) { e.Inode = 5 }), "alive 1 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 80, 24)
			s.event(ev(events.KindEnabled, 1))
			s.clock.after(time.Second)
			l := s.store.Listing()
			seen := s.at(socket(1, time.Second, 0))
			s.clock.after(time.Second)
			s.event(tt.event)
			l.Add(seen)
			l.Done(0)
			s.tick(time.Second)
			if got := s.counted(); got != tt.want {
				t.Errorf("counted %q, want %q", got, tt.want)
			}
		})
	}
}

// TestListingOfATupleUsedAgain: an ended connection stays beside its successor.
func TestListingOfATupleUsedAgain(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.event(ev(events.KindAnswer, 2, answered(1)))
	s.clock.after(time.Second)
	other := func(e *events.Event) { e.Inode = 5 }
	s.list(socket(1, 0, 0, other), socket(2, 0, 0, other))
	s.tick(time.Second)
	if got, want := s.counted(), "timed_out 1 waiting 2 "; got != want {
		t.Errorf("counted %q, want %q", got, want)
	}
}

// TestListingCorrectsTheCountdown: data that flows sets the timer anew, which
// no event tells; a listing shows it. What needs an event waits for it.
func TestListingCorrectsTheCountdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		was  events.Event
		now  events.Event
		want string
	}{
		{"data flowed", ev(events.KindAnswer, 1, answered(84*time.Microsecond)), socket(1, 5*time.Second, 0), "alive 6s 10.0.0.1:40001 postgres[801] 0/6 54s -"},
		{"data in flight", ev(events.KindAnswer, 1, answered(84*time.Microsecond)), socket(1, 5*time.Second, 0, suspended), "suspended 10.0.0.1:40001 postgres[801] 0/6 - -"},
		{"no more", ev(events.KindTimer, 1, verdict(events.VerdictSuspended), func(e *events.Event) { e.Reason = events.ReasonDataInFlight }),
			socket(1, 5*time.Second, 0), "waiting 10.0.0.1:40001 postgres[801] 0/6 54s 114s"},
		{"an answer that no event told yet", ev(events.KindProbe, 1, unanswered(3)), socket(1, time.Second, 0), "silent 10.0.0.1:40001 postgres[801] ███░░ 3/6 no news no news"},
		{"silent goes on", ev(events.KindProbe, 1, unanswered(3)), socket(1, 85*time.Second, 3), "silent 10.0.0.1:40001 postgres[801] ███░░ 3/6 4s 34s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 100, 24)
			s.event(tt.was)
			s.clock.after(70 * time.Second)
			s.list(tt.now)
			s.tick(time.Second)
			s.has(t, tt.want)
		})
	}
}

// TestListingKnowsLess: what the kernel's record told is not forgotten for what
// netlink cannot tell.
func TestListingKnowsLess(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindAnswer, 1, answered(1))) // the count is the sysctl's
	s.clock.after(time.Second)
	unsure := func(e *events.Event) {
		e.Keepalive.Inherited, e.Keepalive.Unsure = 0, conn.SettingIdle|conn.SettingCount
	}
	s.list(socket(1, time.Second, 0, unsure))
	if k := s.store.row(s.store.conns[0]).Keepalive; k.Inherited != conn.SettingCount || k.Unsure != 0 {
		t.Errorf("%+v", k)
	}
	s.clock.after(time.Second)
	s.list(socket(1, time.Second, 0, unsure, func(e *events.Event) { e.Keepalive.Idle = time.Hour })) // set anew since
	if k := s.store.row(s.store.conns[0]).Keepalive; k.Idle != time.Hour || k.Unsure == 0 {
		t.Errorf("%+v", k)
	}
}

func TestListingIsBounded(t *testing.T) {
	s := newScene(t, Options{MaxConns: 2, MaxListed: 3}, 120, 24)
	var all []events.Event
	for n := range 8 {
		all = append(all, socket(n, time.Second, 0))
	}
	s.list(all...)
	s.tick(time.Second)
	if n := len(s.snap.order); n != 3 || s.snap.Unlisted != 5 {
		t.Errorf("%d rows, %d unlisted; want 3 and 5", n, s.snap.Unlisted)
	}
	s.press("c")
	s.has(t, "5 more sockets with keepalive beyond the 3 listed: each shows with its first event")
	// Events: the two that there is room for get rows, listed or not; a third
	// loses the one it had, which would not be true any more.
	for n := range 3 {
		s.event(ev(events.KindProbe, n, unanswered(1)))
	}
	s.tick(time.Second)
	if got, want := s.counted(), "asking 2 "; got != want || s.snap.Refused != 1 {
		t.Errorf("counted %q, %d refused; want %q, 1", got, s.snap.Refused, want)
	}
	s.list(all...)
	s.tick(time.Second)
	if n := len(s.snap.order); n != 5 || s.snap.Unlisted != 3 {
		t.Errorf("%d rows, %d unlisted; want 5 and 3", n, s.snap.Unlisted)
	}
	// Four that were not even offered: the rows stand for some of those.
	l := s.store.Listing()
	l.Add(s.at(all[0]))
	l.Add(s.at(all[1]))
	l.Done(4)
	s.tick(time.Second)
	if n := len(s.snap.order); n != 2 || s.snap.Unlisted != 4 {
		t.Errorf("%d rows, %d unlisted; want 2 and 4", n, s.snap.Unlisted)
	}
	for n := 2; n < 4; n++ {
		s.store.opt.MaxConns++
		s.event(ev(events.KindProbe, n, unanswered(1)))
	}
	l = s.store.Listing()
	l.Add(s.at(all[0]))
	l.Add(s.at(all[1]))
	l.Done(4)
	s.tick(time.Second)
	if n := len(s.snap.order); n != 4 || s.snap.Unlisted != 2 {
		t.Errorf("%d rows, %d unlisted; want 4 and 2", n, s.snap.Unlisted)
	}
}

// checkEvent checks that a text is a line of the stream.
func checkEvent(t *testing.T, text string) {
	t.Helper()
	schema, err := docs.Schema(docs.EventsSchema)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
}

// TestCopyOfAListed: what no event stands for is copied as a line of the list;
// once an event came it is that, whatever a later listing adds.
func TestCopyOfAListed(t *testing.T) {
	opt := testOptions
	opt.ListedJSON = func(dst []byte, e *events.Event) []byte {
		return fmt.Appendf(dst, "listed %s %d %s %s %s", e.Time.Format(time.TimeOnly), e.Kind, e.IdleFor, e.Next, e.DiesIn)
	}
	s := newScene(t, opt, 80, 24)
	s.list(socket(1, 15*time.Second, 0))
	s.tick(2 * time.Second)
	s.press("down")
	copied := func(want string) {
		t.Helper()
		got := fmt.Sprint(s.press("y")())
		if !strings.Contains(got, want) {
			t.Errorf("copied %s, want %s", got, want)
		}
		if strings.HasPrefix(want, "listed") {
			s.has(t, "a line of the list")
			return
		}
		checkEvent(t, got)
	}
	copied("listed 01:02:03 0 15s 45s 1m45s")
	s.clock.after(43 * time.Second)
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	s.list(socket(1, 60*time.Second, 1))
	s.tick(time.Second)
	copied(`"event":"probe"`)
	s.list(socket(1, 61*time.Second, 1))
	s.tick(time.Second)
	copied(`"time":"2026-11-22T01:02:48.000000000Z","event":"probe"`)
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond)))
	s.clock.after(10 * time.Second)
	s.list(socket(1, time.Second, 0)) // data came since
	s.tick(time.Second)
	copied(`"event":"answer"`)
	s.list(socket(1, 2*time.Second, 0, suspended))
	s.tick(time.Second)
	copied("listed 01:03:01 0 2s 0s 0s")
}

func TestPeerProbes(t *testing.T) {
	for _, tt := range []struct {
		name string
		gaps []time.Duration
		want string
	}{
		{"one", nil, "The peer probes us (one probe seen: how often shows with the next), last 1s ago"},
		{"steady", []time.Duration{30 * time.Second, 30*time.Second + 700*time.Millisecond, 30 * time.Second}, "The peer probes us every 30s (4 probes seen), last 1s ago"},
		{"fast", []time.Duration{1020 * time.Millisecond, 1060 * time.Millisecond}, "The peer probes us every 1.1s (3 probes seen)"},
		{"with data between", []time.Duration{30 * time.Second, 90 * time.Second}, "The peer probes us, 30s to 90s apart (3 probes seen"},
		{"hours", []time.Duration{2*time.Hour + 40*time.Second}, "every 2h1m (2 probes seen)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 80, 24)
			s.event(ev(events.KindAnswer, 1, answered(1)))
			s.event(ev(events.KindProbed, 1))
			for _, g := range tt.gaps {
				s.clock.after(g)
				s.event(ev(events.KindProbed, 1))
			}
			s.tick(time.Second)
			f := s.store.row(s.snap.order[0])
			got := strings.Join(advise(&f, s.now(), nil), "\n")
			for _, want := range []string{tt.want, "and we answer. Both sides keep the connection alive."} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
		})
	}
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindProbed, 1))
	s.tick(time.Second)
	f := s.store.row(s.snap.order[0])
	got := strings.Join(advise(&f, s.now(), nil), "\n")
	if !strings.Contains(got, "of keepalive on this side nothing was seen") || strings.Contains(got, "Keepalive is on") {
		t.Errorf("of a side that was not seen to probe:\n%s", got)
	}
}
