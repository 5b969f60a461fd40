// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestHosts: the same tuple on two hosts is two connections, and the table says of
// which host each is; of one host it does not.
func TestHosts(t *testing.T) {
	host := func(name string) func(*events.Event) { return func(e *events.Event) { e.Host = name } }
	s := newScene(t, Options{Hosts: true}, 120, 30)
	s.event(ev(events.KindProbe, 1, host("alpha")))
	s.tick(time.Second)
	if s.snap.Kept() != 1 {
		t.Fatalf("%d rows", s.snap.Kept())
	}
	s.hasNot(t, "HOST", "alpha")
	s.event(ev(events.KindProbe, 1, host("beta")))
	s.event(events.Event{Kind: events.KindHeartbeat, State: conn.State{Host: "gamma"}, Tracing: &events.Tracing{}})
	s.tick(time.Second)
	if s.snap.Kept() != 2 {
		t.Fatalf("%d rows", s.snap.Kept())
	}
	s.has(t, "HOST", "alpha", "beta")
	s.setFilter("beta")
	s.tick(time.Second)
	if len(s.snap.order) != 1 {
		t.Errorf("%d rows have a host named beta", len(s.snap.order))
	}
	s.press("L")
	s.has(t, "beta")
}

// TestOtherSide: the detail of a silent connection says what the other host saw.
func TestOtherSide(t *testing.T) {
	s := newScene(t, Options{Hosts: true}, 120, 30)
	near := func(n int) func(*events.Event) {
		return func(e *events.Event) {
			e.Host, e.Unanswered, e.Verdict, e.Has = "near", n, events.VerdictSilent, e.Has|conn.HasUnanswered
		}
	}
	far := func(e *events.Event) { e.Host, e.Local, e.Remote = "far", e.Remote, e.Local }
	for _, host := range []string{"near", "far"} {
		s.event(events.Event{Kind: events.KindStart, State: conn.State{Host: host}, Tracing: &events.Tracing{}})
	}
	for n := 1; n <= 2; n++ {
		s.event(ev(events.KindProbe, 1, near(n)))
		s.event(ev(events.KindProbed, 1, far))
		s.tick(10 * time.Second)
	}
	s.setFilter("near")
	s.press("enter")
	s.has(t, "the answers get lost on the way back: far saw 2 of 2 come", "host near")
	filtered := newScene(t, Options{Hosts: true}, 120, 30)
	for n := 1; n <= 2; n++ {
		filtered.event(ev(events.KindProbe, 1, near(n)))
		come := ev(events.KindProbed, 1, far)
		come.Time = filtered.clock.now
		filtered.store.Other(&come)
		filtered.tick(10 * time.Second)
	}
	filtered.press("enter")
	filtered.has(t, "the answers get lost on the way back: far saw 2 of 2 come")
	alone := newScene(t, Options{}, 120, 30)
	alone.event(ev(events.KindProbe, 1, near(2)))
	alone.tick(time.Second)
	alone.press("enter")
	alone.hasNot(t, "other host")
}
