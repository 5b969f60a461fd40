// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/tui"
)

// listing tells the live view of the sockets that have keepalive on: of those
// that exist at the start before their first event, and from then on of those
// that come and go without one.
type listing struct {
	store   *tui.Store
	host    string // as in the stream's events
	filter  events.Filter
	options inventory.Options
	trouble atomic.Pointer[string] // why the latest listing is not complete
	late    atomic.Int64           // sockets in it whose container may have a name that is not shown
}

// A listing is made every few seconds, or where it takes long at most a
// twenty-fifth of the time is spent on it.
const (
	listEvery = 3 * time.Second
	listRest  = 25
)

// forListing are the capabilities that a listing needs: to find network
// namespaces, to enter them, and to read the sockets by BPF.
var forListing = []int{unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON}

// newListing is nil where the filter asks for certain events: a socket is none.
func newListing(o *streamOptions, store *tui.Store) *listing {
	if len(o.filter.Kinds) > 0 || o.filter.Dead || o.filter.Silent || o.filter.Changes {
		return nil
	}
	return &listing{store: store, host: o.host, filter: o.filter, options: inventory.Options{
		AllNetns: true, Filter: o.filter.Socket, On: true, Ports: true, Max: tui.MaxListed, BTF: o.load.BTF,
	}}
}

// beside returns feed with the listing beside it. At the end it does not wait
// for a listing under way, which may take seconds and changes nothing.
func (l *listing) beside(feed func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		listCtx, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			if err := caught(func() error { l.run(listCtx); return nil }); err != nil {
				l.say(err.Error())
			}
		}()
		return feed(ctx)
	}
}

// run lists until ctx ends.
func (l *listing) run(ctx context.Context) {
	lister, err := inventory.Open(l.options)
	if err != nil {
		l.say(err.Error())
		return
	}
	defer lister.Close()
	for ctx.Err() == nil {
		begun := time.Now()
		if err := l.once(ctx, lister); err != nil && ctx.Err() == nil {
			l.say(err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(listEvery, listRest*time.Since(begun))):
		}
	}
}

// once makes one listing.
func (l *listing) once(ctx context.Context, lister *inventory.Lister) error {
	into := l.store.Listing()
	list, err := lister.Each(ctx, func(listed time.Time, s *inventory.Socket) {
		if s.Has&inventory.HasOn == 0 || !s.On || !s.Connected() || s.Inode == 0 && !s.Unaccepted() { // an orphan: the kernel is about to finish it
			return
		}
		if e := s.Event(listed); l.filter.Owner.Match(&e.Owner) {
			e.Host = l.host
			into.Add(&e)
		}
	})
	if err != nil {
		into.Fail()
		return err
	}
	into.Ports(list.Ports)
	into.Done(list.More)
	l.note(list.Lacks)
	return nil
}

// note takes over what the listing lacks. Settings that it lacks come with a
// connection's first event.
func (l *listing) note(lacks []inventory.Lack) {
	var hidden []string
	late := 0
	for _, lack := range lacks {
		switch {
		case lack.Sockets == 0: // whole namespaces
			hidden = append(hidden, lack.What)
		case lack.What == inventory.LateNames: // a filter by name leaves these out
			late = lack.Sockets
		}
	}
	l.late.Store(int64(late))
	l.say(strings.Join(hidden, "; "))
}

// appendListed appends a connection of which no event came, as the live view has
// it, as a line of katrace list -o json.
func appendListed(dst []byte, e *events.Event) []byte {
	s := inventory.Socket{State: e.State, Timer: e.Timer, On: true}
	s.Has |= inventory.HasOn
	return s.AppendJSON(dst, e.Time)
}

func (l *listing) say(trouble string) { l.trouble.Store(&trouble) }

// notice is for the view's header.
func (l *listing) notice() string {
	var said []string
	if t := l.trouble.Load(); t != nil && *t != "" {
		said = append(said, "not listed before an event: "+*t)
	}
	if n := l.late.Load(); n > 0 {
		said = append(said, lackWords(inventory.Lack{What: inventory.LateNames, Sockets: int(n)}))
	}
	return strings.Join(said, "; ")
}
