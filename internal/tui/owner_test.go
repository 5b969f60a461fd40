// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestOwner: who holds a socket is shown and found as the text stream says it,
// and is what the latest event that knows says.
func TestOwner(t *testing.T) {
	th := newTheme(look{dark: true})
	shop, other := conn.Process{PID: 7, Comm: "Shop"}, conn.Process{PID: 8, Comm: "other"}
	f, in := newFacts(), newAlikes()
	for _, step := range []struct {
		what  string
		event events.Event
		want  string
	}{
		{"nothing known", events.Event{}, "-"},
		{"a user", events.Event{State: conn.State{Has: conn.HasUID, Owner: conn.Owner{UID: 5}}}, "uid 5"},
		{"not accepted, by whom is not known", events.Event{State: conn.State{Owner: conn.Owner{HeldBy: conn.HeldByAcceptQueue}}}, "not accepted yet"},
		{"not accepted", events.Event{State: conn.State{Owner: conn.Owner{Process: shop, HeldBy: conn.HeldByAcceptQueue}}}, "Shop[7] (not accepted yet)"},
		{"its listener is not known just now", events.Event{State: conn.State{Owner: conn.Owner{HeldBy: conn.HeldByAcceptQueue}}}, "Shop[7] (not accepted yet)"},
		{"accepted", events.Event{State: conn.State{Owner: conn.Owner{Process: other}}}, "other[8]"},
		{"nothing said", events.Event{}, "other[8]"},
		{"by a thread", events.Event{State: conn.State{Owner: conn.Owner{Process: other, HeldBy: conn.HeldByThread}}}, "other[8] (thread)"},
		{"by the kernel", events.Event{State: conn.State{Owner: conn.Owner{HeldBy: conn.HeldByKernel, Module: "sunrpc"}}}, "kernel (sunrpc)"},
	} {
		f.applySocket(&step.event, 1, &in)
		if got := th.owner(&f); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
		if e := f.event(); string(e.AppendOwner(nil)) != step.want {
			t.Errorf("%s: as an event %q, want %q", step.what, e.AppendOwner(nil), step.want)
		}
	}
	c := entry{facts: newFacts()}
	c.applySocket(&events.Event{State: conn.State{Owner: conn.Owner{Process: shop}}}, 1, &in)
	find := func(text string) bool { return newFilter(text).match(&c) }
	if !find("shop[7]") || find("thread") || find("shop/7") {
		t.Error("what is shown is not what is found")
	}
	filter := newFilter("thread")
	_ = filter.match(&c)
	if c.applySocket(&events.Event{State: conn.State{Owner: conn.Owner{Process: shop, HeldBy: conn.HeldByThread}}}, 1, &in); !filter.match(&c) {
		t.Error("that it is a thread's by now is not found")
	}
}
