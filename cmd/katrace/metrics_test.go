// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"katrace/internal/inventory"
	"katrace/internal/loader"
	"katrace/internal/metrics"
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

// failingWalker is a walker that fails so many times.
type failingWalker struct{ left, listed int }

func (f *failingWalker) Connected(context.Context, func(*inventory.Socket)) error {
	if f.left--; f.left >= 0 {
		return errors.New("too many open files")
	}
	f.listed++
	return nil
}

func (f *failingWalker) Close() {}

// TestListingFails: that is said once, and is not the last listing.
func TestListingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, w := 0, &failingWalker{left: 2}
		m := &meter{Metrics: metrics.New(metrics.Options{}), walker: w, say: func(string, ...any) { said++ }}
		ctx, stop := context.WithTimeout(t.Context(), 2*countEvery+time.Second)
		defer stop()
		must(t, m.list(ctx))
		if w.listed != 1 || said != 1 {
			t.Errorf("listed %d times, said %d times that it fails, want once each", w.listed, said)
		}
	})
}
