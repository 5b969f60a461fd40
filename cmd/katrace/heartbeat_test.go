// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// recorded are the events that a recording holds.
func recorded(t *testing.T, recording string) (all []events.Event) {
	t.Helper()
	for line := range strings.Lines(recording) {
		e, err := events.ParseJSON([]byte(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// recorder is a stream that writes a recording, and beside it text.
func recorder(f events.Filter) (s *stream, recording, text *bytes.Buffer) {
	recording, text = new(bytes.Buffer), new(bytes.Buffer)
	s, _, _ = wait(f)
	out := newLineSink(recording, outputJSON)
	out.recording = true
	s.tracker = events.NewTracker(4 * time.Millisecond)
	s.sink = tee{newLineSink(text, outputText), out}
	return s, recording, text
}

// TestHeartbeat: a recording begins, says once a minute of the monotonic clock
// that it goes on, and ends; also where the filter wants nothing else. Text has
// none of it.
func TestHeartbeat(t *testing.T) {
	s, recording, text := recorder(events.Filter{Kinds: []events.Kind{events.KindReset}})
	slept := time.Hour
	s.beat.asleep = func() time.Duration { return slept }
	s.host = "db1"
	start := time.Now()
	must(t, s.begin(start, events.Tracing{Kernel: "6.1"}))
	for i := range 180 { // it looks once a second
		if i == 100 {
			slept += 7 * time.Minute
			s.clockSet -= 3 * time.Second
			s.reported = loader.Lost{Ring: 4}
		}
		if i == 150 {
			must(t, s.pass(on(events.KindReset, 1, 1)))
			must(t, s.pass(on(events.KindProbe, 1, 1)))
		}
		must(t, s.beatIfDue(start.Add(time.Duration(i)*time.Second)))
	}
	must(t, s.end(t.Context(), nil))
	must(t, s.sink.Flush())
	told := recorded(t, recording.String())
	var kinds []string
	for _, e := range told {
		if kinds = append(kinds, e.Kind.String()); e.Host != "db1" {
			t.Errorf("%s of the host %q", e.Kind, e.Host)
		}
	}
	if got := strings.Join(kinds, " "); got != "start heartbeat heartbeat reset stop" {
		t.Fatalf("recorded: %s", got)
	}
	quiet, eventful, stop := *told[1].Tracing, *told[2].Tracing, *told[4].Tracing
	if quiet != (events.Tracing{}) {
		t.Errorf("the quiet minute: %+v", quiet)
	}
	if want := (events.Tracing{Asleep: 7 * time.Minute, ClockSet: -3 * time.Second, Lost: loader.Lost{Ring: 4}}); eventful != want {
		t.Errorf("the minute with a suspend: %+v", eventful)
	}
	if want := (events.Tracing{Events: 1, Lost: loader.Lost{Ring: 4}}); stop != want {
		t.Errorf("the end: %+v", stop)
	}
	if strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), " reset ") {
		t.Errorf("text: %s", text)
	}
}

// TestHeartbeatWaits: behind events that wait for their owner it keeps its place.
func TestHeartbeatWaits(t *testing.T) {
	s, recording, _ := recorder(events.Filter{})
	start := time.Now()
	must(t, s.begin(start, events.Tracing{}))
	must(t, s.tell(on(events.KindProbe, 1, 1)))
	must(t, s.beatIfDue(start.Add(time.Hour)))
	must(t, s.release(time.Time{}))
	must(t, s.sink.Flush())
	var kinds []string
	for _, e := range recorded(t, recording.String()) {
		kinds = append(kinds, e.Kind.String())
	}
	if got := strings.Join(kinds, " "); got != "start probe heartbeat" {
		t.Errorf("recorded: %s", got)
	}
}

// TestExit: the end says why.
func TestExit(t *testing.T) {
	signalled, kill := context.WithCancel(t.Context())
	kill()
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	quit, leave := context.WithCancelCause(t.Context())
	leave(errQuit)
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want events.Tracing
	}{
		{signalled, nil, events.Tracing{Exit: events.ExitSignal}},
		{over, nil, events.Tracing{Exit: events.ExitDuration}},
		{quit, nil, events.Tracing{Exit: events.ExitQuit}},
		{signalled, errLimit, events.Tracing{Exit: events.ExitCount}},
		{over, errors.New("no space"), events.Tracing{Exit: events.ExitError, Error: "no space"}},
		{t.Context(), nil, events.Tracing{}},
	} {
		s, recording, _ := recorder(events.Filter{})
		s.beat.asleep = func() time.Duration { return 0 }
		must(t, s.end(tt.ctx, tt.err))
		must(t, s.sink.Flush())
		if e := recorded(t, recording.String())[0]; e.Kind != events.KindStop || *e.Tracing != tt.want {
			t.Errorf("%s, %+v; want %+v", e.Kind, *e.Tracing, tt.want)
		}
	}
}

// TestFailedOutput: where one output fails the other one is finished.
func TestFailedOutput(t *testing.T) {
	s, recording, _ := recorder(events.Filter{})
	s.beat.asleep = func() time.Duration { return 0 }
	broken := errors.New("broken pipe")
	pipe := newLineSink(failing{broken}, outputJSON)
	pipe.recording = true
	s.sink = append(tee{pipe}, s.sink.(tee)...)
	if err := errors.Join(s.end(t.Context(), broken), s.sink.Flush()); !errors.Is(err, broken) {
		t.Errorf("the failure is not told: %v", err)
	}
	if told := recorded(t, recording.String()); len(told) != 1 || told[0].Tracing.Error != "broken pipe" {
		t.Errorf("the other output: %s", recording)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// TestUnknownWords: what a backend lacks, a recording can say.
func TestUnknownWords(t *testing.T) {
	for _, word := range loader.UnknownWords() {
		if events.ParseUnknown([]string{word}) == 0 {
			t.Errorf("%s: package events has no such word", word)
		}
	}
	if u := events.LeftOutBy(&events.Filter{Kinds: []events.Kind{events.KindProbed}}); u&events.UnknownProbed != 0 || u&events.UnknownICMP == 0 {
		t.Errorf("--event probed leaves out %b", u)
	}
}
