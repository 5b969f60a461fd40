// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// fakeOwners stands in for the scans: what it knows of a socket by its inode.
type fakeOwners struct {
	known   map[uint64]conn.Process
	asked   map[uint64]bool
	soon    bool
	hurried int
	filled  int
}

func (f *fakeOwners) Fill(e *events.Event, _ time.Time) bool {
	f.filled++
	p, ok := f.known[e.Inode]
	if ok {
		e.Process = p
	}
	return !ok && f.asked[e.Inode]
}

func (f *fakeOwners) Hurry(time.Duration) bool { f.hurried++; return f.soon }
func (f *fakeOwners) Close()                   {}

// lines is a sink that keeps what it is told.
type lines struct{ told []string }

func (l *lines) Event(e *events.Event) error {
	said := e.Kind.String()
	if e.Kind == events.KindLost {
		said += fmt.Sprint(" ", e.LeftOut)
	} else {
		said += fmt.Sprint(" ", e.Remote.Port(), " ", e.Process.Comm)
	}
	l.told = append(l.told, strings.TrimSpace(said))
	return nil
}

func (l *lines) Flush() error { return nil }

// wait is a stream whose scans are made by hand.
func wait(f events.Filter) (*stream, *fakeOwners, *lines) {
	owners := &fakeOwners{known: map[uint64]conn.Process{}, asked: map[uint64]bool{1: true, 2: true, 3: true}, soon: true}
	sink := &lines{}
	return &stream{owners: owners, filter: f, sink: sink}, owners, sink
}

// TestOwnerOfARecord: where events are many, the two events of a record are looked up
// once, and nothing else is taken for the second of two.
func TestOwnerOfARecord(t *testing.T) {
	s, owners, sink := wait(events.Filter{})
	s.pace.before = fewASec + 1
	owners.known[1], owners.known[2] = shop, conn.Process{PID: 2, Comm: "two"}
	at := time.Unix(1, 0)
	tell := func(kind events.Kind, inode uint64, at time.Time) {
		t.Helper()
		e := on(kind, uint16(inode), inode)
		e.Time = at
		must(t, s.tell(e))
	}
	tell(events.KindAnswer, 1, at)
	tell(events.KindProbe, 1, at)
	tell(events.KindProbed, 2, at)
	tell(events.KindProbed, 0, at)
	owners.known[1] = conn.Process{PID: 8, Comm: "eight"}
	tell(events.KindProbe, 1, at.Add(1))
	enabled := on(events.KindEnabled, 1, 1)
	enabled.Time, enabled.Process, enabled.Has = at.Add(1), conn.Process{PID: 9, Comm: "nine"}, events.HasDoer
	must(t, s.tell(enabled))
	sink.want(t, "fast", "answer 1 shop", "probe 1 shop", "probed 2 two", "probed 0", "probe 1 eight", "enabled 1 nine")
	if owners.filled != 5 {
		t.Errorf("looked up %d times, want 5", owners.filled)
	}
}

// on is an event of the connection with that remote port and inode.
func on(kind events.Kind, port uint16, inode uint64) *events.Event {
	loopback := netip.MustParseAddr("127.0.0.1")
	return &events.Event{
		State: conn.State{Inode: inode, TCPState: conn.TCPEstablished, Family: conn.IPv4, Local: netip.AddrPortFrom(loopback, 80), Remote: netip.AddrPortFrom(loopback, port)},
		Kind:  kind,
	}
}

func (l *lines) want(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := strings.Join(l.told, ", "); got != strings.Join(want, ", ") {
		t.Errorf("%s: told %q, want %q", when, got, want)
	}
	l.told = nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var shop = conn.Process{PID: 7, Comm: "shop"}

// TestHeldBack: what is told after an event that waits for its owner waits, too.
func TestHeldBack(t *testing.T) {
	s, owners, sink := wait(events.Filter{})
	owners.known[9] = conn.Process{PID: 9, Comm: "nine"}
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	must(t, s.tell(on(events.KindProbe, 9, 9)))
	must(t, s.tell(on(events.KindProbe, 2, 2)))
	must(t, s.release(time.Now()))
	sink.want(t, "before the scan")
	if owners.hurried != 2 {
		t.Errorf("hurried %d times, for two unknown owners", owners.hurried)
	}
	owners.known[1] = shop
	must(t, s.release(time.Now()))
	sink.want(t, "after the scan", "probe 1 shop", "probe 9 nine")
	must(t, s.tell(on(events.KindAnswer, 1, 1)))
	sink.want(t, "behind another that waits")
	if at := s.held.wakeAt(time.Now().Add(time.Hour)); time.Until(at) > holdFor {
		t.Errorf("looks again only in %s", time.Until(at))
	}
	must(t, s.release(time.Now().Add(holdFor)))
	sink.want(t, "when the time is over", "probe 2", "answer 1 shop")
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	sink.want(t, "at once", "probe 1 shop")
	if !s.held.empty() {
		t.Error("something is still held back")
	}
}

// TestLeftOut: events that are left out second by second are told of at once, then
// together once a minute, with a loss and at the end; a loss is told of within the second.
func TestLeftOut(t *testing.T) {
	s, _, sink := wait(events.Filter{})
	now, lost := time.Now(), loader.Lost{}
	seconds := func(n int) {
		for range n {
			now = now.Add(time.Second)
			s.leftOut++
			must(t, s.tellLost(lost, now))
		}
	}
	seconds(1)
	sink.want(t, "the first", "lost 1")
	seconds(59)
	sink.want(t, "within the minute")
	seconds(61)
	sink.want(t, "a minute after the first, and one after that", "lost 60", "lost 60")
	seconds(5)
	lost.Ring++
	seconds(1)
	sink.want(t, "with a loss", "lost 6")
	seconds(59)
	lost.Ring++
	must(t, s.tellLost(lost, time.Time{}))
	sink.want(t, "at the end", "lost 59")
	if s.leftOut != 186 || s.reported != lost {
		t.Errorf("%d left out; told of %+v", s.leftOut, s.reported)
	}

	s, _, sink = wait(events.Filter{})
	must(t, s.tellLost(loader.Lost{Ring: 1}, now))
	sink.want(t, "a loss", "lost 0")
	s.leftOut++
	must(t, s.tellLost(loader.Lost{Ring: 1}, now.Add(time.Second)))
	sink.want(t, "the first left out after a loss", "lost 1")
	must(t, s.tellLost(loader.Lost{Ring: 1}, time.Time{}))
	sink.want(t, "nothing more")
}

// TestDoer: `enabled` names who did it, never the holder in its place; by the
// holder it is chosen where nobody is named.
func TestDoer(t *testing.T) {
	s, owners, sink := wait(events.Filter{Owner: conn.OwnerFilter{Comms: []string{"shop"}}})
	owners.known[1] = shop
	must(t, s.tell(on(events.KindEnabled, 1, 1)))
	sink.want(t, "a BPF program did it", "enabled 1")
	done := on(events.KindEnabled, 1, 1)
	done.Process, done.Has = shop, events.HasDoer
	owners.known[1] = conn.Process{PID: 9, Comm: "another holder"}
	must(t, s.tell(done))
	sink.want(t, "a process did it", "enabled 1 shop")
}

// TestHeldBackInVain: a scan that does not find the owner ends the waiting.
func TestHeldBackInVain(t *testing.T) {
	s, owners, sink := wait(events.Filter{})
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	owners.asked[1] = false
	must(t, s.release(time.Now()))
	sink.want(t, "after the scan", "probe 1")
}

// TestNotHeldBack: nothing waits where the answer cannot come in time, where
// events are many, and where the event is not wanted anyway.
func TestNotHeldBack(t *testing.T) {
	s, owners, sink := wait(events.Filter{})
	owners.soon = false
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	sink.want(t, "not in time", "probe 1")
	owners.soon = true
	for s.pace.few() {
		s.pace.recent++
	}
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	sink.want(t, "many this second", "probe 1")
	s.pace.tick()
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	sink.want(t, "many the second before", "probe 1")
	s.pace.tick()
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	sink.want(t, "few again")

	s, _, sink = wait(events.Filter{Kinds: []events.Kind{events.KindReset}})
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	if !s.held.empty() {
		t.Error("an event that is not wanted is held back")
	}
	sink.want(t, "not wanted")
}

// TestHeldBackIsBounded: when too many wait none does.
func TestHeldBackIsBounded(t *testing.T) {
	s, _, sink := wait(events.Filter{})
	for range holdMany {
		must(t, s.tell(on(events.KindProbe, 1, 1)))
	}
	sink.want(t, "as many as may")
	must(t, s.tell(on(events.KindProbe, 2, 2)))
	if len(sink.told) != holdMany+1 || sink.told[holdMany] != "probe 2" {
		t.Errorf("%d told", len(sink.told))
	}
}

// TestHeldBackAtTheEnd: all is told in order, as far as --count allows.
func TestHeldBackAtTheEnd(t *testing.T) {
	s, _, sink := wait(events.Filter{})
	s.limit = 2
	for i := range uint16(3) {
		must(t, s.tell(on(events.KindProbe, i+1, uint64(i+1))))
	}
	if err := s.release(time.Time{}); !errors.Is(err, errLimit) {
		t.Errorf("got %v", err)
	}
	sink.want(t, "at the end", "probe 1", "probe 2")
}

// TestFilterByOwner: an event is judged by its connection's owner, also where it
// is not known just then; where it never was, that is counted.
func TestFilterByOwner(t *testing.T) {
	s, owners, sink := wait(events.Filter{Owner: conn.OwnerFilter{Comms: []string{"shop"}}})
	s.all = true
	owners.known[1], owners.known[2] = shop, conn.Process{PID: 8, Comm: "other"}
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	must(t, s.tell(on(events.KindProbe, 2, 2)))
	sink.want(t, "known", "probe 1 shop")
	owners.known = nil
	owners.soon = false
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	must(t, s.tell(on(events.KindProbe, 2, 2)))
	sink.want(t, "let go of: the owner before decides and is not named", "probe 1")
	closed := func(port uint16) *events.Event {
		e := on(events.KindClosed, port, 0)
		e.TCPState = conn.TCPClose
		return e
	}
	must(t, s.tell(closed(1)))
	must(t, s.tell(closed(2)))
	sink.want(t, "closed by its process", "closed 1 shop")
	if s.leftOut != 0 {
		t.Errorf("%d left out, and each owner was known", s.leftOut)
	}
	must(t, s.tell(closed(1)))
	must(t, s.tell(on(events.KindProbe, 1, 3))) // the same tuple, another socket
	kernel := on(events.KindProbe, 5, 5)
	kernel.HeldBy = conn.HeldByKernel
	must(t, s.tell(kernel))
	sink.want(t, "not known")
	if s.leftOut != 2 {
		t.Errorf("%d left out, want 2: after its end a connection is forgotten, and the kernel's is nobody's", s.leftOut)
	}
}

// TestFilterByName: where the process is known and the name of its container or pod
// is not, an event that the filter leaves out is counted, too.
func TestFilterByName(t *testing.T) {
	for _, f := range []conn.OwnerFilter{{Containers: []string{"web"}}, {Pods: []conn.PodName{{Namespace: "shop", Name: "cart-0"}}}} {
		s, _, sink := wait(events.Filter{Owner: f})
		s.names = owner.OpenNames("", true)
		e := on(events.KindProbe, 1, 1)
		e.Owner = conn.Owner{Process: shop, Cgroup: "/docker/3f2a", Container: "3f2a", Pod: "1"}
		must(t, s.pass(e))
		if s.leftOut != 1 {
			t.Errorf("%+v: %d left out, want 1", f, s.leftOut)
		}
		closed := on(events.KindClosed, 1, 0)
		closed.TCPState = conn.TCPClose
		s.all = true
		must(t, s.pass(closed))
		if s.leftOut != 2 {
			t.Errorf("%+v: %d left out with its end, want 2", f, s.leftOut)
		}
		e.ContainerName, e.PodNamespace, e.PodName = "db", "shop", "cart-1"
		must(t, s.pass(e))
		sink.want(t, "left out")
		if s.leftOut != 2 {
			t.Errorf("%+v: of another name, and counted", f)
		}
		s.names = nil
		e.ContainerName = ""
		if must(t, s.pass(e)); s.leftOut != 2 {
			t.Errorf("%+v: not looked for, and counted", f)
		}
	}
}

// TestManyForgetOwners: where events are too many to be remembered nothing that
// was remembered before is used, for ends of connections go by unseen.
func TestManyForgetOwners(t *testing.T) {
	s, owners, sink := wait(events.Filter{})
	s.all = true
	owners.known[1] = shop
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	s.pace.before = fewASec + 1
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	s.pace.before = 0
	sink.told = nil
	e := on(events.KindClosed, 1, 0)
	e.TCPState = conn.TCPClose
	must(t, s.tell(e))
	sink.want(t, "after many", "closed 1")
}

// TestJudgeAllocates: an event of a known connection costs no allocation,
// whether it is filtered by owner or not.
func TestJudgeAllocates(t *testing.T) {
	for _, f := range []events.Filter{{}, {Owner: conn.OwnerFilter{Comms: []string{"shop"}}}} {
		s, owners, _ := wait(f)
		owners.known[1] = shop
		e := on(events.KindProbe, 1, 1)
		s.owners.Fill(e, time.Now())
		s.judge(e)
		if n := testing.AllocsPerRun(100, func() { s.judge(e) }); n != 0 {
			t.Errorf("%v allocations with %+v", n, f)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	for name, f := range map[string]events.Filter{"all": {}, "by owner": {Owner: conn.OwnerFilter{Comms: []string{"shop"}}}} {
		b.Run(name, func(b *testing.B) {
			s, _, _ := wait(f)
			s.pace.before = fewASec + 1
			e := on(events.KindProbe, 1, 1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e.Remote = netip.AddrPortFrom(e.Remote.Addr(), uint16(i))
				e.Inode, e.Process = uint64(i%200_000), shop
				s.judge(e)
			}
		})
	}
}
