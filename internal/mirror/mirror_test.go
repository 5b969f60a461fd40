// SPDX-License-Identifier: BSD-2-Clause

package mirror

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

var (
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	left  = netip.MustParseAddrPort("10.0.0.1:5432")
	right = netip.MustParseAddrPort("10.0.0.2:40000")
	nat   = netip.MustParseAddrPort("192.0.2.1:40000")
)

// said is an event of one of the tests, so many seconds after noon.
type said struct {
	at    float64
	host  string
	kind  events.Kind
	probe int // its number
	set   func(*events.Event)
}

func (s said) event() events.Event {
	e := events.Event{Time: noon.Add(time.Duration(s.at * float64(time.Second))), Kind: s.kind}
	if e.Host = s.host; s.kind.OfTracing() {
		e.Tracing = &events.Tracing{}
	} else {
		e.Netns, e.Keepalive, e.Has = 1, conn.Settings{Interval: time.Second}, conn.HasKeepalive
		if e.Local, e.Remote = left, right; s.host == "b" {
			e.Netns, e.Local, e.Remote = 2, right, left
		}
	}
	if s.probe > 0 {
		e.Unanswered, e.Has = s.probe, e.Has|conn.HasUnanswered
	}
	if s.set != nil {
		s.set(&e)
	}
	return e
}

// begun are two recordings that have begun, with a probe each way that was answered.
var begun = []said{
	{0, "a", events.KindStart, 0, nil}, {0, "b", events.KindStart, 0, nil},
	{1, "a", events.KindProbe, 1, nil}, {1.001, "b", events.KindProbed, 0, nil}, {1.01, "a", events.KindAnswer, 0, nil},
}

// silent are three probes of a, which then gives up, and the end of the recordings.
var silent = []said{
	{10, "a", events.KindProbe, 1, nil}, {11, "a", events.KindProbe, 2, nil}, {12, "a", events.KindProbe, 3, nil}, {13, "a", events.KindReset, 3, nil},
	{20, "a", events.KindStop, 0, nil}, {20, "b", events.KindStop, 0, nil},
}

func came(at ...float64) (all []said) {
	for _, at := range at {
		all = append(all, said{at, "b", events.KindProbed, 0, nil})
	}
	return all
}

func cannot(u events.Unknown) func(*events.Event) {
	return func(e *events.Event) { e.Tracing.NotKnown = u }
}

// TestSilence: what the other end saw, whatever the reason is that it saw nothing.
func TestSilence(t *testing.T) {
	dropped := func(e *events.Event) {
		e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "NETFILTER_DROP", Text: "nftables"}
	}
	open := slices.Concat([]said{begun[0], {0, "b", events.KindStart, 0, cannot(events.UnknownClosed)}}, begun[2:])
	for _, tt := range []struct {
		name          string
		in            []said
		want          Seen
		sent, arrived int
		reason        string
	}{
		{"the way back", slices.Concat(begun, came(10.001, 11.001, 12.001), silent), SeenAll, 3, 3, ""},
		{"the way there", slices.Concat(begun, silent), SeenNone, 3, 0, ""},
		{"the way there, or a close", slices.Concat(open, silent), SeenNone, 3, 0, ""},
		{"a lossy path", slices.Concat(begun, came(11), silent), SeenSome, 3, 1, ""},
		{"clocks that differ a little", slices.Concat(begun, came(9.7, 10.7, 11.7), silent), SeenAll, 3, 3, ""},
		{"clocks that differ", slices.Concat([]said{begun[0], begun[1], begun[2], begun[4]}, came(5), silent), SeenUnknown, 3, 0,
			"it did not show a probe that was answered, either: records are missing, or the clocks differ"},
		{"its firewall", slices.Concat(begun, []said{{10.5, "b", events.KindDropped, 0, dropped}}, silent), SeenDropped, 3, 0, "nftables"},
		{"a drop of long ago", slices.Concat(begun, []said{{5, "b", events.KindDropped, 0, dropped}}, silent), SeenNone, 3, 0, ""},
		{"it had ended", slices.Concat(begun, []said{{9, "b", events.KindEnded, 0, nil}}, silent), SeenEnded, 0, 0, ""},
		{"it ended meanwhile", slices.Concat(begun, came(10), []said{{10.5, "b", events.KindReset, 0, nil}}, silent), SeenEnded, 1, 1, ""},
		{"it gave up after this side", slices.Concat(begun, silent[:4], []said{{14, "b", events.KindReset, 0, nil}}, silent[4:]), SeenNone, 3, 0, ""},
		{"its address was used again", slices.Concat(begun, []said{{5, "b", events.KindEnded, 0, nil}, {6, "b", events.KindProbe, 1, nil}}, came(10, 11, 12), silent), SeenAll, 3, 3, ""},
		{"it was stopped", slices.Concat(begun, []said{{9, "b", events.KindStop, 0, nil}}, silent[:5]), SeenUnrecorded, 0, 0, "its recording begins later or ends before"},
		{"it was stopped for a while", slices.Concat(begun, []said{{9, "b", events.KindStop, 0, nil}}, silent[:5], []said{{19, "b", events.KindStart, 0, nil}}, silent[5:]), SeenUnrecorded, 0, 0, "katrace had been stopped there"},
		{"it rebooted", slices.Concat(begun, silent[:5], []said{{19, "b", events.KindStart, 0, nil}}, silent[5:]), SeenUnrecorded, 0, 0, "its recording is cut off"},
		{"it is cut off", slices.Concat(begun, silent[:5]), SeenUnrecorded, 0, 0, "its recording begins later or ends before"},
		{"part of it was recorded", slices.Concat(begun, came(10), []said{{10.5, "b", events.KindStop, 0, nil}}, silent[:5]), SeenAll, 1, 1, ""},
		{"it began later", slices.Concat([]said{begun[0]}, silent[:5], []said{{19, "b", events.KindStart, 0, nil}}, came(19.5), silent[5:]), SeenUnrecorded, 0, 0, "its recording begins later or ends before"},
		{"its kernel does not show probes", slices.Concat([]said{begun[0], {0, "b", events.KindStart, 0, cannot(events.UnknownProbed)}}, []said{{1, "b", events.KindProbe, 1, nil}}, silent), SeenUnknown, 3, 0,
			"its recording holds no probes of the peer (not_known)"},
		{"a recording of old", slices.Concat([]said{begun[2], begun[4]}, came(1), silent[:5], came(20)), SeenUnknown, 3, 0, "its recording does not say what it cannot hold"},
		{"its recording begins without a start", slices.Concat([]said{begun[0]}, begun[2:], []said{{9, "b", events.KindHeartbeat, 0, nil}}, silent), SeenUnknown, 3, 0, "its recording does not say what it cannot hold"},
		{"records were lost", slices.Concat(begun, []said{{11, "b", events.KindLost, 0, func(e *events.Event) { e.Lost.Ring = 1 }}}, silent), SeenUnknown, 3, 0, "records were lost there"},
		{"what a later version calls lost was", slices.Concat(begun, []said{{11, "b", events.KindLost, 0, func(e *events.Event) { e.Lost.Unknown = 1 }}}, silent), SeenUnknown, 3, 0, "records were lost there"},
	} {
		j := New()
		var done []Silence
		j.Done = func(s Silence) { done = append(done, s) }
		for _, s := range tt.in {
			e := s.event()
			j.Add(&e)
		}
		j.Finish()
		a := silent[0].event()
		f, ok := j.Silence(a.ID())
		if !ok || f.Seen != tt.want || f.Sent != tt.sent || f.Arrived != tt.arrived || f.Reason != tt.reason {
			t.Errorf("%s: %t, %q: %+v", tt.name, ok, f.Words(), f)
		}
		if f.Closed != (tt.name == "the way there, or a close") {
			t.Errorf("%s: it may have been closed, %t", tt.name, f.Closed)
		}
		if tt.name == "it began later" { // by the time the silence was over nothing was known of it
			f = Finding{Seen: SeenNoEnd}
		}
		if len(done) != 1 || done[0].Finding != f || done[0].Probes != 3 || done[0].ID != a.ID() || done[0].To.Sub(done[0].From) != 3*time.Second {
			t.Errorf("%s: of the silence that is over: %+v", tt.name, done)
		}
	}
}

// TestNotJoined: behind NAT, and where more than one recording may have the other
// end, nothing is joined.
func TestNotJoined(t *testing.T) {
	translated := said{1, "b", events.KindProbed, 0, func(e *events.Event) { e.Remote = nat }}
	again := said{1, "c", events.KindProbed, 0, func(e *events.Event) { e.Local, e.Remote = right, left }}
	for name, in := range map[string][]said{
		"NAT":                       slices.Concat(begun[:2], []said{translated}, silent),
		"no recording of that host": slices.Concat(begun[:1], silent[:5]),
		"two may be it":             slices.Concat(begun, []said{again}, silent),
	} {
		j := New()
		for _, s := range in {
			e := s.event()
			j.Add(&e)
		}
		j.Finish()
		a := silent[0].event()
		if f, ok := j.Silence(a.ID()); !ok || f.Seen != SeenNoEnd {
			t.Errorf("%s: %s", name, f.Seen)
		}
	}
}

// TestTooEarly: a probe that was sent just now may yet be told of.
func TestTooEarly(t *testing.T) {
	j := New()
	add := func(all ...said) {
		for _, s := range all {
			e := s.event()
			j.Add(&e)
		}
	}
	a := silent[0].event()
	if _, ok := j.Silence(a.ID()); ok {
		t.Error("of a connection that nobody told of")
	}
	add(begun...)
	add(silent[0])
	if f, _ := j.Silence(a.ID()); f.Seen != SeenUnknown || f.Reason != "it is too early to say" {
		t.Errorf("at once: %+v", f)
	}
	add(silent[1], said{11.2, "b", events.KindHeartbeat, 0, nil}, silent[2])
	if f, _ := j.Silence(a.ID()); f.Seen != SeenNone || f.Sent != 1 {
		t.Errorf("later: %+v", f)
	}
}

// TestFindingsAreWhole: each has words of its own, and a word.
func TestFindingsAreWhole(t *testing.T) {
	words := map[string]bool{}
	for s := SeenAll; s <= SeenNoEnd; s++ {
		f := Finding{Seen: s, Other: conn.ID{Host: "b\x1b[2J"}, Reason: "\x1b[2J"}
		w := f.Words()
		if w == "" || words[w] || s.String() == "" {
			t.Errorf("%d, %q: %q", s, s, w)
		}
		words[w] = true
		for _, r := range w {
			if r < ' ' {
				t.Errorf("%s: %q is not safe", s, w)
			}
		}
	}
}

// TestFiltered: what a filter leaves out still tells of the other end of what it
// lets through, and is no silence to be told of itself.
func TestFiltered(t *testing.T) {
	for _, wanted := range []string{"a", "b"} {
		j := New()
		var done []Silence
		j.Done = func(s Silence) { done = append(done, s) }
		for _, s := range slices.Concat(begun, came(10, 11, 12), silent) {
			e := s.event()
			if e.Kind.OfTracing() || s.host == wanted {
				j.Add(&e)
			} else {
				j.AddOther(&e)
			}
		}
		j.Finish()
		if wanted == "a" && (len(done) != 1 || done[0].Seen != SeenAll) || wanted == "b" && len(done) != 0 {
			t.Errorf("%s alone is wanted: %+v", wanted, done)
		}
	}
}

// TestJoinIsBounded: whatever it is given.
func TestJoinIsBounded(t *testing.T) {
	j := New()
	j.Done = func(Silence) {}
	for n := range uint32(2 * maxAlike) {
		e := silent[0].event()
		e.Netns = n
		j.Add(&e)
	}
	if n := len(j.ends[tuple{left, right}]); n != maxAlike || j.n != maxAlike {
		t.Errorf("%d ends of a tuple", n)
	}
	first, second, answer := silent[0].event(), silent[1].event(), begun[4].event()
	answer.Time = silent[1].event().Time
	first.Netns, second.Netns, answer.Netns = 1, 1, 1
	for range maxOpen + 10 { // all at once
		j.Add(&first)
		j.Add(&second)
		j.Add(&answer)
	}
	if len(j.open) > maxOpen+1 {
		t.Errorf("%d silences are not settled", len(j.open))
	}
}
