// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"katrace/internal/loader"
)

// TestMeasureFails: an address that is in use, or a file that cannot be written, is
// an error that names the flag.
func TestMeasureFails(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = used.Close() }()
	for flag, o := range map[string]metricsOptions{
		"--metrics:":      {addr: used.Addr().String()},
		"--metrics-file:": {file: filepath.Join(t.TempDir(), "no", "such")},
	} {
		s := &stream{tracer: &loader.Tracer{Backend: loader.Kprobe}}
		m, err := s.measure(t.Context(), &streamOptions{metrics: o})
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
