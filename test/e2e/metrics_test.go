// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestMetrics: what is counted is what the kernel counted, also where no line is
// written of it (--changes); and the listing finds this host's sockets, with all
// privileges given up but those that find owners.
func TestMetrics(t *testing.T) {
	l := newLoad(t, 100, true, 127)
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "socket"), filepath.Join(dir, "katrace.prom")
	r := start(t, l.only(), "--changes", "--metrics", "unix:"+socket, "--metrics-file", file)
	l.begin()
	waitFor(t, time.Minute, "connections to fall silent", func() bool { return len(r.seen()) >= 100 })
	counted := float64(l.end())
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	var probes, lost, silent, listed float64
	scrape := func() bool {
		answer, err := client.Get("http://katrace/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		probes, silent = sum(families["katrace_probes_total"]), sum(families["katrace_connections_silent_total"])
		lost, listed = sum(families["katrace_records_lost_total"]), sum(families["katrace_listing_timestamp_seconds"])
		return probes+lost >= counted && listed > 0
	}
	waitFor(t, time.Minute, "all probes to be counted", scrape)
	if probes > counted || silent+lost < 100 || silent > 100 {
		t.Errorf("%g probes and %g lost, the kernel counted %g; %g connections silent, want 100", probes, lost, counted, silent)
	}
	if probes < counted/2 {
		t.Errorf("%g probes of %g: this test sees little", probes, counted)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	r.stop()
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

// sum is of all series of a family; 0 where it is not exposed.
func sum(f *dto.MetricFamily) (n float64) {
	for _, m := range f.GetMetric() {
		n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return n
}
