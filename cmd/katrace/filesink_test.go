// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/logfile"
)

// TestFileSinkOwesLosses: a loss that the log file did not take is in it as soon as
// it takes lines again, and counts as no line.
func TestFileSinkOwesLosses(t *testing.T) {
	// A limit on the size of files stands for a full disk.
	path := filepath.Join(t.TempDir(), "log")
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &limit))
	set := func(n uint64) { must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: limit.Max})) }
	var writes writing
	s, err := newFileSink(logfile.Options{Path: path}, &writes)
	must(t, err)
	defer set(limit.Cur)
	set(0)
	for range 3 {
		must(t, s.Event(on(events.KindProbe, 1, 1)))
	}
	must(t, s.Flush())
	for n := range uint64(2) {
		must(t, s.Event(&events.Event{Kind: events.KindLost, Time: time.Unix(1e9, 0), Lost: events.Lost{Ring: n + 1, Disk: 3 * n}}))
		must(t, s.Second(false))
	}
	set(limit.Cur)
	for deadline := time.Now().Add(time.Minute); s.owed.Kind != 0 && time.Now().Before(deadline); time.Sleep(time.Second / 10) {
		must(t, s.Second(false))
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
