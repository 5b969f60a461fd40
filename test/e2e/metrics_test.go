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
	"slices"
	"sync"
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
	beside(t)
	l := newLoad(t, 100, true, 127)
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "socket"), filepath.Join(dir, "katrace.prom")
	r := start(t, l.only(), "--changes", "--metrics", "unix:"+socket, "--metrics-file", file)
	l.begin()
	waitFor(t, time.Minute, "connections to fall silent", func() bool { return len(r.seen()) >= 100 })
	counted := float64(l.end())
	var probes, lost, silent, listed, now float64
	waitFor(t, time.Minute, "all probes to be counted", func() bool {
		m := scrape(t, socket)
		probes, silent, now = m.sum("probes_total"), m.sum("connections_silent_total"), m.sum("connections", "silent")
		lost, listed = m.sum("records_lost_total"), m.sum("listing_timestamp_seconds")
		return probes+lost >= counted && listed > 0 && now == silent // that is asked once a second
	})
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

// TestMetricsOfView: beside the live view the sockets are listed for the metrics also
// where the view lists none, which then needs no privilege for that.
func TestMetricsOfView(t *testing.T) {
	nativeOnly(t)
	socket := filepath.Join(t.TempDir(), "socket")
	cmd := command("-o", "tui", "--dead", "--attach", string(anyBackend()), "--metrics", "unix:"+socket)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	keys, drawn := onTerminal(t, cmd, 80, 24)
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	waitFor(t, time.Minute, "the sockets to be listed", func() bool {
		answer, err := client.Get("http://katrace/metrics")
		if err != nil {
			return false // it attaches
		}
		defer func() { _ = answer.Body.Close() }()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		return err == nil && families["katrace_sockets"] != nil
	})
	if _, err := keys.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != 0 {
		t.Errorf("exit status %d: %s", code, drawn)
	}
}

// gated is a katrace with a small ring and metrics, whose output is read only while its
// gate is open.
type gated struct {
	tracer
	socket string
	gate   *sync.Mutex
}

// startGated starts one by each backend, with the gate shut or open.
func startGated(t *testing.T, l *load, shut bool, flags ...string) (all []gated) {
	t.Helper()
	for _, by := range backends() {
		g := gated{socket: filepath.Join(t.TempDir(), "socket"), gate: new(sync.Mutex)}
		if shut {
			g.gate.Lock()
		}
		g.tracer = startBehind(t, g.gate, by, append(slices.Clone(flags), l.only(), "--ring-size=4KiB", "--metrics", "unix:"+g.socket)...)
		all = append(all, g)
	}
	return all
}

// TestMetricsOfLost: probes are counted of which no record arrives, because the ring
// is small and nobody reads what katrace writes; also meanwhile.
func TestMetricsOfLost(t *testing.T) {
	beside(t)
	n := pick(1000, 200)
	l := newLoad(t, n, true, 127)
	all := startGated(t, l, true)
	l.begin()
	l.overflow(n)
	counted := float64(l.end())
	for _, b := range all {
		meanwhile := scrape(t, b.socket).sum("probes_total", "sent")
		b.gate.Unlock()
		var sent, missed float64 // what the kernel ran no program for is asked once a second
		waitFor(t, time.Minute, "the losses to be counted", func() bool {
			m := scrape(t, b.socket)
			sent, missed = m.sum("probes_total", "sent"), m.sum("records_lost_total", "missed")
			return m.sum("records_lost_total", "ring") > 0 && sent+missed >= counted
		})
		if sent != meanwhile || sent > counted {
			t.Errorf("%s: %g probes, %g while nobody read, %g missed; the kernel counted %g", b.by, sent, meanwhile, missed, counted)
		}
		if told := tallyOf(b.stop()); float64(told.probes) >= sent {
			t.Errorf("%s: %g probes counted and as many told: this test sees nothing", b.by, sent)
		}
	}
}

// scraped are the families of a scrape.
type scraped map[string]*dto.MetricFamily

// scrape asks at a unix socket.
func scrape(t *testing.T, socket string) scraped {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
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
	return families
}

// sum is of all series of a family, or of those with that value of a label; 0 where
// it is not exposed.
func (s scraped) sum(family string, value ...string) (n float64) {
	for _, m := range s["katrace_"+family].GetMetric() {
		wanted := len(value) == 0
		for _, l := range m.GetLabel() {
			wanted = wanted || slices.Contains(value, l.GetValue())
		}
		if wanted {
			n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return n
}
