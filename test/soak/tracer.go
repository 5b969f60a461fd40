// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// tracer is the katrace that runs.
type tracer struct {
	cmd            *exec.Cmd
	said           string // the file with its stderr
	stdout         lines  // each line that it wrote
	read           chan error
	metrics        *http.Client
	scrapes        int
	probes, resets float64 // by its metrics
}

// start runs katrace with a log file and metrics in dir, and reads its stdout.
func start(katrace, attach, dir string) (*tracer, error) {
	socket := filepath.Join(dir, "metrics")
	t := &tracer{said: filepath.Join(dir, "stderr"), read: make(chan error, 1)}
	t.metrics = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	t.cmd = exec.Command(katrace, "-o", "json", "--attach", attach, "--netns", "/proc/self/ns/net", "--log-file", logFile(dir), "--metrics", "unix:"+socket)
	said, err := os.Create(t.said)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	t.cmd.Stderr = said
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { t.read <- t.stdout.read(out) }()
	for range 600 {
		if t.stdout.counts().all > 0 { // the line "start"
			return t, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = t.cmd.Process.Kill()
	return nil, fmt.Errorf("katrace does not start within a minute: %s", t.messages())
}

func logFile(dir string) string { return filepath.Join(dir, "disk", "katrace.json") }

func (t *tracer) messages() string {
	text, _ := os.ReadFile(t.said)
	return strings.TrimSpace(string(text))
}

// stop ends katrace and waits for the rest of its output.
func (t *tracer) stop() error {
	if err := t.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-t.read; err != nil {
		return err
	}
	if err := t.cmd.Wait(); err != nil {
		return fmt.Errorf("katrace: %w: %s", err, t.messages())
	}
	return nil
}

// scrape reads the metrics.
func (t *tracer) scrape() error {
	answer, err := t.metrics.Get("http://katrace/metrics")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		return err
	}
	probes, resets := 0.0, 0.0
	for _, m := range families["katrace_probes_total"].GetMetric() {
		probes += m.GetCounter().GetValue()
	}
	for _, m := range families["katrace_ended_total"].GetMetric() {
		if m.GetLabel()[0].GetValue() == "keepalive_count" {
			resets = m.GetCounter().GetValue()
		}
	}
	if probes < t.probes || resets < t.resets {
		return fmt.Errorf("a counter fell: %v probes, %v ends, after %v and %v", probes, resets, t.probes, t.resets)
	}
	t.scrapes, t.probes, t.resets = t.scrapes+1, probes, resets
	return nil
}

// memory is what katrace has in memory, in KiB.
func (t *tracer) memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("katrace has ended: %s", t.messages())
}
