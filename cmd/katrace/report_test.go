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

// TestReportBreaksOff: of a recording that breaks off, what is there is summed up;
// the status and stderr tell.
func TestReportBreaksOff(t *testing.T) {
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
	if got := cmd.ProcessState.ExitCode(); got != exitFailed {
		t.Errorf("status %d, want %d", got, exitFailed)
	}
	if !strings.Contains(out.String(), " connections with an event") {
		t.Errorf("no report of what is there:\n%s", &out)
	}
	if !strings.Contains(errs.String(), "unexpected EOF: only what comes before is summed up") {
		t.Errorf("stderr: %s", &errs)
	}
}
