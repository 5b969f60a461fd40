// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/recording"
	"katrace/test/childtest"
)

// logSink notes when it was given an event, by the player's clock and by the
// recording's.
type logSink struct {
	p    *player
	from time.Time
	log  []string
}

func (s *logSink) Event(*events.Event) error {
	s.log = append(s.log, fmt.Sprintf("%s at %s", s.p.clock().Sub(s.from), s.p.now().UTC().Format("04:05.0")))
	return nil
}

func (*logSink) Flush() error { return nil }

// TestReplaySpeed: --speed is passed on, and without it a terminal's is the
// recording's own.
func TestReplaySpeed(t *testing.T) {
	if speedFor(true) != 1 || speedFor(false) != 0 {
		t.Errorf("%g on a terminal, %g elsewhere", speedFor(true), speedFor(false))
	}
	// At this speed the second line comes in ten years.
	recording := filepath.Join(t.TempDir(), "night.json")
	at := time.Date(2016, 11, 22, 1, 2, 0, 0, time.UTC)
	first := append(events.AppendJSON(nil, &events.Event{Time: at, Kind: events.KindProbe}), '\n')
	second := append(events.AppendJSON(nil, &events.Event{Time: at.AddDate(10, 0, 0), Kind: events.KindProbe}), '\n')
	if err := os.WriteFile(recording, slices.Concat(first, second), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := asKatrace("replay", "-o", "json", recording).Output(); err != nil || !bytes.Equal(out, slices.Concat(first, second)) {
		t.Errorf("at once: %q, %v", out, err)
	}
	p := childtest.Start(t, asKatrace("replay", "-o", "json", "--speed", "1", recording))
	if got := p.Line(t); got != string(bytes.TrimSpace(first)) {
		t.Errorf("--speed 1: %q", got)
	}
	if err := p.Cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(p.Out); len(rest) > 0 || err != nil {
		t.Errorf("--speed 1 shows %q at once, %v", rest, err)
	}
}

// TestReplayPace: events come as far apart as they did, divided by the speed;
// what is late is not waited for; and the view's clock is the recording's.
func TestReplayPace(t *testing.T) {
	recorded := time.Date(2026, 11, 22, 1, 2, 0, 0, time.UTC)
	var in []byte
	for _, after := range []time.Duration{0, 3 * time.Second, 3 * time.Second, time.Second, 63 * time.Second} { // one is out of order
		in = append(events.AppendJSON(in, &events.Event{Time: recorded.Add(after), Kind: events.KindProbe}), '\n')
	}
	for _, tt := range []struct {
		speed float64
		want  []string
	}{
		{1, []string{"0s at 02:00.0", "3s at 02:03.0", "3s at 02:03.0", "3s at 02:03.0", "1m3s at 03:03.0"}},
		{60, []string{"0s at 02:00.0", "50ms at 02:03.0", "50ms at 02:03.0", "50ms at 02:03.0", "1.05s at 03:03.0"}},
		{0.5, []string{"0s at 02:00.0", "6s at 02:03.0", "6s at 02:03.0", "6s at 02:03.0", "2m6s at 03:03.0"}},
		{0, []string{"0s at 02:00.0", "0s at 02:03.0", "0s at 02:03.0", "0s at 02:01.0", "0s at 03:03.0"}},
	} {
		p := newPlayer([]string{"night.json"}, tt.speed, events.Filter{})
		now := time.Unix(1e9, 0)
		p.clock = func() time.Time { return now }
		p.sleep = func(_ context.Context, d time.Duration) { now = now.Add(d) }
		sink := &logSink{p: p, from: now}
		if err := p.play(t.Context(), recording.Of(t.Context(), "night.json", bytes.NewReader(in)), sink); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(sink.log) != fmt.Sprint(tt.want) {
			t.Errorf("--speed %g: %q\nwant %q", tt.speed, sink.log, tt.want)
		}
	}
}
