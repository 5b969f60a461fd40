// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// metrics are what katrace's say of the whole time.
type metrics struct{ sent, failed, answers, missed, ring uint64 }

// metrics waits until they are as many as the kernel counted, for what was missed is
// reported once a second.
func (t *tracer) metrics(counted uint64) (metrics, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", t.socket)
	}}}
	var m metrics
	for range 20 {
		answer, err := client.Get("http://katrace/metrics")
		if err != nil {
			return m, err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			return m, err
		}
		of := func(family, label string) uint64 {
			for _, one := range families["katrace_"+family].GetMetric() {
				if label == "" || one.GetLabel()[0].GetValue() == label {
					return uint64(one.GetCounter().GetValue())
				}
			}
			return 0
		}
		m.sent, m.failed, m.answers = of("probes_total", "sent"), of("probes_total", "failed"), of("answers_total", "")
		m.missed, m.ring = of("records_lost_total", "missed"), of("records_lost_total", "ring")
		if m.sent+m.failed+m.missed >= counted {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	return m, nil
}

// scrape holds katrace's metrics against what the kernel counted: "" where there
// are none.
func (t *tracer) scrape(counted uint64) (string, error) {
	if t.socket == "" {
		return "", nil
	}
	m, err := t.metrics(counted)
	if err != nil {
		return "", err
	}
	// A missed firing need not have sent a probe, and may be of another namespace.
	verdict := "exact"
	switch off := int64(m.sent+m.failed+m.missed) - int64(counted); {
	case off < 0 || m.sent+m.failed > counted:
		verdict = fmt.Sprintf("NOT THE SAME, by %d", off)
	case off > 0:
		verdict = fmt.Sprintf("exact, if %d of the missed firings sent none", off)
	}
	return fmt.Sprintf("\n  metrics  %d probes and %d missed, the kernel counts %d: %s; %d answers; lost: ring %d", m.sent+m.failed, m.missed, counted, verdict, m.answers, m.ring), nil
}
