// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/jiffies"
	"katrace/internal/owner"
	"katrace/internal/tui"
)

// runLive is the live view over the kernel's stream.
func runLive(ctx context.Context, o streamOptions, sinks tee, log *fileSink, writes *writing) error {
	view := viewOfKernel(o.noColor)
	view.Filter = o.filterWords
	// The store is made before the backend is known: events may come at once.
	store := tui.NewStore(view)
	o.load.Closes = true // a row goes when its connection closes
	s, err := openStream(o, append(sinks, store))
	if err != nil {
		return err
	}
	feed := func(ctx context.Context) error { return untilBlocked(ctx, writes, s.run) }
	var names netnsNames
	feed, view.NetnsName = names.beside(feed), names.name
	var keep []int
	if l := newListing(&o, store); l != nil {
		l.options.Names = s.names
		feed, keep, view.Notice = l.beside(feed), forListing, l.notice
	}
	view.Backend, view.Lacks, view.Hidden = string(s.tracer.Backend), s.tracer.Lacks, owner.Hidden()
	defer s.attend(log)()
	measured, err := s.measure(ctx, &o)
	if err != nil {
		s.tracer.Close()
		return err
	}
	s.dropPrivileges(os.Stderr, keep...)
	feed = measured.beside(feed)
	start := time.Now()
	ctx, cancel := o.limit(ctx)
	defer cancel()
	if err := besideView(ctx, feed, store, view); err != nil {
		return err
	}
	sayTogether(os.Stderr, store)
	fmt.Fprintf(os.Stderr, "katrace: %s\n", s.summary(time.Since(start)))
	return nil
}

// besideView runs feed beside the view, until the user quits or feed fails; a
// feed that just ends leaves the view on the screen, unless ctx ended it.
func besideView(ctx context.Context, feed func(context.Context) error, store *tui.Store, view tui.Options) error {
	feedCtx, stopFeed := context.WithCancelCause(ctx)
	defer stopFeed(nil)
	viewCtx, stopView := context.WithCancel(ctx)
	defer stopView()

	fed := make(chan error, 1)
	go func() {
		err := caught(func() error { return feed(feedCtx) })
		if err != nil {
			stopView()
		}
		fed <- err
	}()
	err := tui.Run(viewCtx, store, view)
	stopFeed(errQuit)
	return errors.Join(err, <-fed)
}

// besideText are the options of a Store whose Summary is all that is shown of it:
// a kilobyte a connection.
var besideText = tui.Options{MaxConns: 20_000, MaxEnded: 10_000, Untold: true}

// sayTogether says at the end what the connections that are not well have in common.
func sayTogether(to io.Writer, store *tui.Store) {
	if s := strings.TrimSuffix(store.Summary(), "\n"); s != "" {
		fmt.Fprintf(to, "katrace: %s\n", strings.ReplaceAll(s, "\n", "\nkatrace: "))
	}
}

// caught makes a panic of f an error with its stack: the terminal is the view's,
// and has to be given back before anything can be said on it.
func caught(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// viewOfKernel are the view's options for events of the running kernel.
func viewOfKernel(noColor bool) tui.Options {
	hz, _ := jiffies.Read() // else not known
	return tui.Options{NoColor: noColor, Kernel: kernelRelease(), HZ: hz, ListedJSON: appendListed}
}

func kernelRelease() string {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return ""
	}
	return unix.ByteSliceToString(uts.Release[:])
}
