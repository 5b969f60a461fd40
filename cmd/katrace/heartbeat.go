// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// heartbeat is what the stream's lines about itself need: the latest of them tells
// since when.
type heartbeat struct {
	due    time.Time     // by the monotonic clock, which stands still while the machine is suspended
	slept  time.Duration // of what the machine was suspended in all, what has been told
	set    time.Duration // of what the wall clock was set in all, what has been told
	asleep func() time.Duration
}

// Smaller differences come of the reading of the clocks.
const (
	leastAsleep   = time.Second
	leastClockSet = 10 * time.Millisecond
)

// errQuit is the cause of a stream's end: the user left the live view.
var errQuit = errors.New("the user quit")

// asleepSinceBoot is for how long the machine was suspended since it booted.
func asleepSinceBoot() time.Duration {
	var boot, running unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &running) // both always exist
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	return time.Duration(boot.Nano() - running.Nano())
}

// begin tells that the stream began then.
func (s *stream) begin(began time.Time, t events.Tracing) error {
	if s.beat.asleep == nil {
		s.beat.asleep = asleepSinceBoot
	}
	s.beat.due, s.beat.slept = began.Add(events.HeartbeatEvery), s.beat.asleep()
	e := events.Event{Time: began.UTC(), Kind: events.KindStart, Tracing: &t}
	if e.Host = s.host; e.Host == "" {
		e.Host, _ = os.Hostname() // that of the kernel, if uname(2) has one
		e.Host = cmp.Or(e.Host, "localhost")
	}
	return s.pass(&e)
}

// beatIfDue tells that the stream goes on, once a minute.
func (s *stream) beatIfDue(now time.Time) error {
	if now.Before(s.beat.due) {
		return nil
	}
	s.beat.due = now.Add(events.HeartbeatEvery)
	t := s.totals()
	t.Connections = s.connections()
	e := events.Event{Time: now.UTC(), Kind: events.KindHeartbeat, Tracing: &t}
	if !s.held.empty() {
		s.held.add(&e, false)
		return nil
	}
	return s.pass(&e)
}

// end tells that the stream ends, and why: err, or what ended ctx.
func (s *stream) end(ctx context.Context, err error) error {
	t := s.totals()
	switch cause := context.Cause(ctx); {
	case errors.Is(err, errLimit):
		t.Exit = events.ExitCount
	case err != nil:
		t.Exit, t.Error = events.ExitError, err.Error()
	case errors.Is(cause, errQuit):
		t.Exit = events.ExitQuit
	case errors.Is(cause, context.DeadlineExceeded):
		t.Exit = events.ExitDuration
	case cause != nil:
		t.Exit = events.ExitSignal
	}
	return s.pass(&events.Event{Time: time.Now().UTC(), Kind: events.KindStop, Tracing: &t})
}

// totals are what a heartbeat and the end have in common.
func (s *stream) totals() events.Tracing {
	t := events.Tracing{Events: s.told, Lost: s.reported, LeftOut: s.leftOut}
	if asleep := s.beat.asleep() - s.beat.slept; asleep >= leastAsleep {
		t.Asleep = asleep
		s.beat.slept += asleep
	}
	if set := s.clockSet - s.beat.set; set.Abs() >= leastClockSet {
		t.ClockSet = set
		s.beat.set = s.clockSet
	}
	return t
}
