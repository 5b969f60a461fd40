// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"

	"katrace/internal/events"
)

// TestOwner: who holds a socket is shown and found as the text stream says it,
// and is what the latest event that knows says.
func TestOwner(t *testing.T) {
	th := newTheme(look{dark: true})
	shop, other := events.Process{PID: 7, Comm: "Shop"}, events.Process{PID: 8, Comm: "other"}
	var f facts
	for _, step := range []struct {
		what  string
		event events.Event
		want  string
	}{
		{"nothing known", events.Event{}, "-"},
		{"a user", events.Event{UID: 5, Has: events.HasUID}, "uid 5"},
		{"not accepted, by whom is not known", events.Event{HeldBy: events.HeldByAcceptQueue}, "not accepted yet"},
		{"not accepted", events.Event{Process: shop, HeldBy: events.HeldByAcceptQueue}, "Shop[7] (not accepted yet)"},
		{"its listener is not known just now", events.Event{HeldBy: events.HeldByAcceptQueue}, "Shop[7] (not accepted yet)"},
		{"accepted", events.Event{Process: other}, "other[8]"},
		{"nothing said", events.Event{}, "other[8]"},
		{"by a thread", events.Event{Process: other, HeldBy: events.HeldByThread}, "other[8] (thread)"},
		{"by the kernel", events.Event{HeldBy: events.HeldByKernel, Module: "sunrpc"}, "kernel (sunrpc)"},
	} {
		f.applySocket(&step.event, 1)
		if got := th.owner(&f); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
		if e := f.event(); string(events.AppendOwner(nil, &e)) != step.want {
			t.Errorf("%s: as an event %q, want %q", step.what, events.AppendOwner(nil, &e), step.want)
		}
	}
	c := conn{facts: facts{process: shop}}
	find := func(text string) bool { return newFilter(text).match(&c) }
	if !find("shop[7]") || find("thread") || find("shop/7") {
		t.Error("what is shown is not what is found")
	}
	filter := newFilter("thread")
	_ = filter.match(&c)
	if c.applyOwner(&events.Event{Process: shop, HeldBy: events.HeldByThread}); !filter.match(&c) {
		t.Error("that it is a thread's by now is not found")
	}
}
