// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/logfile"
)

// TestFileSinkOwesLosses: a loss that the log file did not take is in it as soon as
// it takes lines again, and counts as no line.
func TestFileSinkOwesLosses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	must(t, os.Symlink("/dev/full", path))
	var writes writing
	s, err := newFileSink(logfile.Options{Path: path}, &writes)
	must(t, err)
	for range 3 {
		must(t, s.Event(on(events.KindProbe, 1, 1)))
	}
	must(t, s.Flush())
	for n := range uint64(2) {
		must(t, s.Event(&events.Event{Kind: events.KindLost, Time: time.Unix(1e9, 0), Lost: events.Lost{Ring: n + 1, Disk: 3 * n}}))
		must(t, s.Second(false))
	}
	must(t, os.Remove(path)) // there is room in the next file of this name
	must(t, s.Second(false))
	if s.owed.Kind != 0 {
		t.Error("what was lost is still owed")
	}
	must(t, s.Event(on(events.KindProbe, 1, 1)))
	must(t, s.Flush())
	text, err := os.ReadFile(path)
	must(t, err)
	var kinds []events.Kind
	for line := range bytes.Lines(text) {
		e, err := events.ParseJSON(line)
		must(t, err)
		if kinds = append(kinds, e.Kind); e.Kind == events.KindLost && e.Lost != (events.Lost{Ring: 3, Disk: 3}) {
			t.Errorf("lost %+v, want the sum", e.Lost)
		}
	}
	if len(kinds) != 2 || kinds[0] != events.KindLost || kinds[1] != events.KindProbe {
		t.Errorf("%v in the file, want what was lost, and the event after it", kinds)
	}
	if n := s.file.Lost(); n != 3 {
		t.Errorf("%d lines lost, want the three events", n)
	}
}
