// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"testing"
	"time"

	"katrace/internal/events"
)

// kept keeps what it is given.
type kept struct{ events []events.Event }

func (k *kept) Event(e *events.Event) error { k.events = append(k.events, *e); return nil }
func (k *kept) Flush() error                { return nil }

// count is how many events of a kind there are, and what of others was left out.
func (k *kept) count(kind events.Kind) (n int, out events.Suppressed) {
	for _, e := range k.events {
		switch e.Kind {
		case kind:
			n++
		case events.KindSuppressed:
			out.Events += e.Suppressed.Events
			out.Ends += e.Suppressed.Ends
		default: // another one
		}
	}
	return n, out
}

func peer(kind events.Kind, at time.Time, last byte) *events.Event {
	e := on(kind, 1, 1)
	e.Time, e.Remote = at, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 80)
	return e
}

// TestLimiter: in a storm so many lines a second are written, ends first, and all
// others are counted.
func TestLimiter(t *testing.T) {
	var got kept
	l := newLimiter(&got, 100)
	at := time.Unix(1e9, 0)
	for i := range 40_000 { // 4 seconds
		kind := events.KindProbe
		if i%100 == 99 {
			kind = events.KindReset // 100 a second
		}
		must(t, l.Event(peer(kind, at.Add(time.Duration(i)*100*time.Microsecond), byte(i%20))))
	}
	lost := events.Event{Time: at, Kind: events.KindLost, Lost: events.Lost{Ring: 1}}
	must(t, l.Event(&lost))
	if n, _ := got.count(events.KindLost); n != 1 {
		t.Error("a loss was left out")
	}
	must(t, l.Second(true))
	probes, out := got.count(events.KindProbe)
	ends, _ := got.count(events.KindReset)
	if ends != 400 || out.Ends != 0 {
		t.Errorf("%d ends written and %d left out, want all 400 written", ends, out.Ends)
	}
	if written := probes + ends; written > burst+4*100 || written < burst-forEnds+3*100 {
		t.Errorf("%d lines, want at most the burst and 100 a second", written)
	}
	if probes+int(out.Events) != 40_000-400 {
		t.Errorf("%d probes written and %d left out, want %d", probes, out.Events, 40_000-400)
	}
	sums := 0
	for _, e := range got.events {
		if e.Kind != events.KindSuppressed {
			continue
		}
		sums++
		var of uint64
		for i, p := range e.Suppressed.Peers {
			of += p.Events
			if i > 0 && p.Events > e.Suppressed.Peers[i-1].Events {
				t.Errorf("%v: not the commonest first", e.Suppressed.Peers)
			}
		}
		if of == 0 || of > e.Suppressed.Events {
			t.Errorf("%d events left out, of them %d of the commonest peers", e.Suppressed.Events, of)
		}
	}
	if sums < 3 || sums > 5 {
		t.Errorf("summed up %d times in 4 seconds", sums)
	}
}

// TestLimiterEnds: ends have their part of the burst, and no more than the rate.
func TestLimiterEnds(t *testing.T) {
	var got kept
	l := newLimiter(&got, 100)
	at := time.Unix(1e9, 0)
	for range 5000 {
		must(t, l.Event(peer(events.KindProbe, at, 1)))
	}
	for range 5000 {
		must(t, l.Event(peer(events.KindReset, at, 1)))
	}
	must(t, l.Second(true))
	probes, out := got.count(events.KindProbe)
	ends, _ := got.count(events.KindReset)
	if probes != burst-forEnds || ends != forEnds || out.Events != 9000 || out.Ends != 4500 {
		t.Errorf("%d probes and %d ends written, left out %+v", probes, ends, out)
	}
}

// TestLimiterQuiet: what is left out is reported a second later although no event
// comes, and a quiet stream is left as it is, whatever the clock does.
func TestLimiterQuiet(t *testing.T) {
	var got kept
	l := newLimiter(&got, 1)
	at := time.Unix(1e9, 0)
	l.now = func() time.Time { return at }
	for range burst - forEnds + 1 {
		must(t, l.Event(peer(events.KindProbe, at, 1)))
	}
	must(t, l.Second(false))
	if _, out := got.count(events.KindProbe); out.Events != 0 {
		t.Error("reported at once")
	}
	at = at.Add(time.Second)
	must(t, l.Second(false))
	must(t, l.Second(false))
	if _, out := got.count(events.KindProbe); out.Events != 1 {
		t.Errorf("%d reported, want 1", out.Events)
	}
	got.events = nil
	at = at.Add(-time.Hour)
	for i := range 3600 {
		must(t, l.Event(peer(events.KindProbe, at.Add(time.Duration(i)*time.Second), 1)))
	}
	if n, out := got.count(events.KindProbe); n != 3599 || out.Events != 0 { // the clock went back: no second went by
		t.Errorf("%d of 3600 events, a second each, are written", n)
	}
}
