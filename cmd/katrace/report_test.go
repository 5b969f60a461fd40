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
