// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReportCutOff: of compressed data that is cut off, as while it is being
// written, what is there is summed up, and the report says so.
func TestReportCutOff(t *testing.T) {
	recording, err := os.ReadFile("../../docs/images/incident.json")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(recording)
	_ = z.Close()
	path := filepath.Join(t.TempDir(), "night.json.gz")
	if err := os.WriteFile(path, packed.Bytes()[:packed.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	cmd := asKatrace("report", path)
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != exitDone {
		t.Errorf("status %d, want %d", got, exitDone)
	}
	if !strings.Contains(out.String(), " connections with an event") || !strings.Contains(out.String(), "1 damaged line skipped") {
		t.Errorf("no report of what is there:\n%s", &out)
	}
	if !strings.Contains(errs.String(), "cut off") {
		t.Errorf("stderr: %s", &errs)
	}
}

// TestReportInterrupted: what was read of a recording that goes on is summed up, and
// said to be a part.
func TestReportInterrupted(t *testing.T) {
	recording, err := os.ReadFile("../../docs/images/incident.json")
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	var out, errs strings.Builder
	cmd := asKatrace("report", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	// More than the pipe holds: when all is written, most of it was read.
	for range 4 {
		if _, err := w.Write(recording); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, &errs)
	}
	if !strings.Contains(out.String(), " connections with an event") || !strings.Contains(errs.String(), "interrupted: only what was read") {
		t.Errorf("stdout:\n%s\nstderr: %s", &out, &errs)
	}
}
