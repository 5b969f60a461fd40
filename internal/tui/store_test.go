// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

var _ events.Sink = (*Store)(nil)

func (s *scene) order(q Query) (remotes []string) {
	var sn Snapshot
	s.store.Snapshot(q, 0, &sn)
	for _, f := range s.store.rows(nil, sn.order) {
		remotes = append(remotes, fmt.Sprint(f.Remote.Port()%1000))
	}
	return remotes
}

func TestWorstFirst(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	want := []string{"10", "11", "14", "12", "13", "110", "15", "17", "18", "19"}
	if got := s.order(Query{}); !slices.Equal(got[:len(want)], want) {
		t.Errorf("got %v, want %v", got[:len(want)], want)
	}
	reversed := s.order(Query{Reverse: true})
	if got := reversed[len(reversed)-1]; got != "10" {
		t.Errorf("reversed, the last is %s", got)
	}
}

// TestOrderIsThatOfASort holds the incremental order against a plain sort,
// while connections come, change and go.
func TestOrderIsThatOfASort(t *testing.T) {
	s, c := loaded(t, 300, 300)
	var sn Snapshot
	for round := range 200 {
		for range round % 40 {
			if err := s.Event(c.next()); err != nil {
				t.Fatal(err)
			}
		}
		if round%3 == 0 {
			e := *c.next()
			e.Kind = events.KindClosed
			if err := s.Event(&e); err != nil {
				t.Fatal(err)
			}
		}
		q := Query{Sort: Column(round / 7 % int(numColumns)), Reverse: round%5 == 0}
		if round%11 > 7 {
			q.filter = newFilter("silent")
		}
		s.Snapshot(q, 0, &sn)
		seen := map[uint64]bool{}
		key := func(i int) orderKey { return q.Sort.key(sn.order[i], sn.order[i].overdue(sn.At.UnixNano())) }
		for i, c := range sn.order {
			seen[c.id] = true
			if i > 0 && (key(i-1).compare(key(i)) < 0) == q.Reverse {
				t.Fatalf("round %d: %d and %d are out of order", round, i-1, i)
			}
		}
		want := len(s.conns)
		if q.filter != nil {
			want = sn.Counts[classSilent]
		}
		if len(sn.order) != want || len(seen) != want {
			t.Fatalf("round %d: %d rows, %d of them different, want %d", round, len(sn.order), len(seen), want)
		}
	}
}

func TestSameTupleOtherSocket(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindProbe, 1, unanswered(3)))
	other := func(e *events.Event) { e.Inode = 5 }
	s.event(ev(events.KindAnswer, 1, answered(time.Millisecond), other))
	s.tick(time.Second)
	if n := len(s.snap.order); n != 1 || s.snap.Counts[classAlive] != 1 {
		t.Fatalf("%d rows, %v", n, s.snap.Counts)
	}
	if f := s.store.row(s.snap.order[0]); f.Inode != 5 || f.probes != 0 {
		t.Errorf("inherited from the connection before: %+v", f)
	}
	// One that has ended stays beside its successor.
	s.event(ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"), other))
	s.event(ev(events.KindProbe, 1, unanswered(1)))
	s.tick(time.Second)
	if n := len(s.snap.order); n != 2 || s.snap.Counts[classTimedOut] != 1 || s.snap.Counts[classAsking] != 1 {
		t.Errorf("%d rows, %v", n, s.snap.Counts)
	}
	// A late record of the ended one does not wake it.
	s.event(ev(events.KindClosed, 1, other))
	s.tick(time.Second)
	if n := len(s.snap.order); n != 2 {
		t.Errorf("%d rows after a late close", n)
	}
}

func TestEventsThatBeginNothing(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.event(ev(events.KindClosed, 1))
	s.event(ev(events.KindWindowProbe, 2))
	s.event(ev(events.KindTimer, 3, func(e *events.Event) { e.Reason = events.ReasonKeepaliveOff }))
	s.event(events.Event{Kind: events.KindLost, Lost: events.Lost{Follow: 2}})
	s.tick(time.Second)
	if n := len(s.snap.order); n != 0 || s.snap.Total != 4 || s.snap.Lost.Follow != 2 {
		t.Errorf("%d rows, %d events, %+v", n, s.snap.Total, s.snap.Lost)
	}
}

func TestVerdictsThatPass(t *testing.T) {
	for _, tt := range []struct {
		name string
		then []events.Event
		want class
	}{
		{"first probe", []events.Event{ev(events.KindProbe, 1, unanswered(1))}, classAsking},
		{"alive keeps through a first probe", []events.Event{ev(events.KindAnswer, 1, answered(1)), ev(events.KindProbe, 1, unanswered(1))}, classAlive},
		{"suspended ends with a probe", []events.Event{
			ev(events.KindTimer, 1, verdict(events.VerdictSuspended), func(e *events.Event) { e.Reason = events.ReasonDataInFlight }),
			ev(events.KindProbe, 1, unanswered(1)),
		}, classAsking},
		{"silent ends with an answer", []events.Event{ev(events.KindProbe, 1, unanswered(4)), ev(events.KindAnswer, 1, answered(1))}, classAlive},
		{"unreachable after the end", []events.Event{ev(events.KindReset, 1, gaveUp(events.ReasonCount, "EHOSTUNREACH"), verdict(events.VerdictUnreachable))}, classUnreachableEnded},
		{"ended by retransmission", []events.Event{endedBy(events.ByRetransmission, 0, events.ReasonCount, "ETIMEDOUT", events.VerdictTimedOut)}, classTimedOut},
		{"ended by a router's word", []events.Event{endedBy(events.ByRetransmission, 0, events.ReasonCount, "EHOSTUNREACH", events.VerdictUnreachable)}, classUnreachableEnded},
		{"ended by the peer", []events.Event{endedBy(events.ByPeer, events.RSTAbort, 0, "ECONNRESET", events.VerdictAborted)}, classAborted},
		{"ended by whose RST is not known", []events.Event{endedBy(events.ByPeer, 0, 0, "ECONNRESET", events.VerdictReset)}, classReset},
		{"destroyed, and what was known before does not stay", []events.Event{ev(events.KindProbe, 1, unanswered(4)), endedBy(events.ByThisHost, 0, 0, "ECONNABORTED", 0)}, classEnded},
		{"switched on", []events.Event{ev(events.KindEnabled, 1)}, classWaiting},
	} {
		s := newScene(t, testOptions, 80, 24)
		for _, e := range tt.then {
			s.event(e)
		}
		s.tick(time.Second)
		if s.snap.Counts[tt.want] != 1 {
			t.Errorf("%s: %v, want one %s", tt.name, s.snap.Counts, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	s := newScene(t, Options{MaxConns: 10, MaxEnded: 3, MaxLog: 50}, 80, 24)
	for n := range 20 {
		s.event(ev(events.KindProbe, n, unanswered(1)))
	}
	s.tick(time.Second)
	if n := len(s.snap.order); n != 10 || s.snap.Refused != 10 {
		t.Errorf("%d live rows, %d events refused", n, s.snap.Refused)
	}
	for n := range 10 {
		s.clock.after(time.Second)
		s.event(ev(events.KindReset, n, gaveUp(events.ReasonCount, "ETIMEDOUT")))
	}
	s.tick(time.Second)
	if got := s.order(Query{}); !slices.Equal(got, []string{"9", "8", "7"}) || s.snap.Dismissed != 7 {
		t.Errorf("ended: %v, %d dismissed", got, s.snap.Dismissed)
	}
	for range 500 {
		s.clock.after(50 * time.Millisecond)
		s.event(ev(events.KindAnswer, 11, answered(1)))
		s.tick(0)
	}
	if n := len(s.log.entries); n != 50 {
		t.Errorf("%d log entries, want 50", n)
	}
	if n := len(s.store.ended.q); n > 70 {
		t.Errorf("the queue of the ended has %d places", n)
	}
}

// TestStaleConnectionsMakeRoom: connections that must have closed unseen do
// not keep new ones out for ever.
func TestStaleConnectionsMakeRoom(t *testing.T) {
	s := newScene(t, Options{MaxConns: 10}, 80, 24)
	for n := range 10 {
		s.event(ev(events.KindProbe, n, unanswered(1)))
	}
	s.clock.after(3 * time.Hour)
	s.event(ev(events.KindProbe, 11, unanswered(1)))
	s.tick(time.Second)
	if got := s.order(Query{}); !slices.Equal(got, []string{"11"}) {
		t.Errorf("rows: %v", got)
	}
}

func TestStory(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	for range 5 {
		s.event(ev(events.KindAnswer, 1, answered(1)))
	}
	for i := range 200 {
		s.clock.after(time.Second)
		s.event(ev(events.KindProbe, 1, unanswered(i%9+1)))
		tale, ok := s.store.tale(s.store.conns[0])
		if !ok || int(tale.earlier)+len(tale.records) != i+6 {
			t.Fatalf("after %d: %d kept, %d earlier", i+6, len(tale.records), tale.earlier)
		}
		for j := 1; j < len(tale.records); j++ {
			if tale.records[j].at < tale.records[j-1].at {
				t.Fatalf("after %d: out of order at %d", i+6, j)
			}
		}
		if last := tale.records[len(tale.records)-1]; last.at != s.clock.now.UnixNano() {
			t.Fatalf("after %d: the newest is missing", i+6)
		}
	}
	tale, _ := s.store.tale(s.store.conns[0])
	if len(tale.records) != storyHigh {
		t.Errorf("%d records kept, want %d", len(tale.records), storyHigh)
	}
}

func TestStoryGrowsWhenThereIsRoomAgain(t *testing.T) {
	var st story
	n := nanos(0)
	add := func(times int, mayGrow bool) {
		for range times {
			n++
			st.add(record{at: n}, mayGrow)
		}
	}
	add(20, false)
	add(3, true)
	got := st.appendTo(nil)
	if len(got) != storyLow+3 || got[0].at != 13 || got[len(got)-1].at != 23 {
		t.Errorf("%d records from %d to %d", len(got), got[0].at, got[len(got)-1].at)
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	s, c := loaded(t, 1000, 200_000)
	if n := testing.AllocsPerRun(10_000, func() {
		if err := s.Event(c.next()); err != nil {
			t.Fatal(err)
		}
	}); n >= 0.5 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestRate(t *testing.T) {
	var r rate
	at := epoch
	var got float64
	for i := range 40 {
		at = at.Add(200 * time.Millisecond)
		got = r.add(at, uint64(i)*200)
	}
	if got < 999 || got > 1001 {
		t.Errorf("%v events/s, want 1000", got)
	}
}

// TestUntoldSaysTheSame: a Store that is there for its summary alone passes over what
// changes nothing, and its summary is that of one that looks at everything.
func TestUntoldSaysTheSame(t *testing.T) {
	now := epoch
	clock := func() time.Time { return now }
	all, untold := NewStore(Options{Now: clock}), NewStore(Options{Now: clock, Untold: true})
	random := rand.New(rand.NewPCG(3, 4))
	c := churn{n: 60}
	for i := range 5000 {
		now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		c.i, c.at = random.IntN(1<<20), now
		e := c.next()
		if n := random.IntN(50); n == 0 {
			e.Kind, e.Verdict, e.Change = events.KindReset, events.VerdictTimedOut, events.ChangeEnded
		} else if n < 5 {
			e.Process = conn.Process{}
		} else if n < 10 {
			e.Kind, e.Verdict, e.Unanswered = events.KindProbe, events.VerdictSilent, 2
		}
		for _, s := range []*Store{all, untold} {
			if err := s.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		if i%50 != 0 {
			continue
		}
		if got, want := untold.Summary(), all.Summary(); got != want {
			t.Fatalf("%s:\n%s\nwant\n%s", now, got, want)
		}
	}
	if !strings.Contains(all.Summary(), "not alive") {
		t.Errorf("nothing to say: %q", all.Summary())
	}
}

// TestUntoldKeepsWhatLives: a connection whose probes are answered is not taken for
// one that closed unseen.
func TestUntoldKeepsWhatLives(t *testing.T) {
	s := NewStore(Options{Untold: true, MaxConns: 1})
	c := churn{n: 10, at: epoch}
	for range 2 * staleAfter / time.Minute {
		for _, i := range []int{1, 11} { // the probe and the answer of connection 7919 mod 10
			c.i = i
			e := *c.next()
			e.Time = c.at
			if err := s.Event(&e); err != nil {
				t.Fatal(err)
			}
		}
		c.at = c.at.Add(time.Minute)
	}
	c.i = 3
	if err := s.Event(c.next()); err != nil {
		t.Fatal(err)
	}
	if s.refused != 1 || s.conns[0].Inode != 10 {
		t.Errorf("%d refused; the connection of inode %d is kept", s.refused, s.conns[0].Inode)
	}
}
