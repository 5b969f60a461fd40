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

// scrape holds katrace's metrics against what the kernel counted: "" where there
// are none. What was missed is reported once a second.
func (t *tracer) scrape(counted uint64) (string, error) {
	if t.socket == "" {
		return "", nil
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", t.socket)
	}}}
	var sent, failed, answers, missed, ring uint64
	for range 20 {
		answer, err := client.Get("http://katrace/metrics")
		if err != nil {
			return "", err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			return "", err
		}
		of := func(family, label string) uint64 {
			for _, m := range families["katrace_"+family].GetMetric() {
				if label == "" || m.GetLabel()[0].GetValue() == label {
					return uint64(m.GetCounter().GetValue())
				}
			}
			return 0
		}
		sent, failed, answers = of("probes_total", "sent"), of("probes_total", "failed"), of("answers_total", "")
		missed, ring = of("records_lost_total", "missed"), of("records_lost_total", "ring")
		if sent+failed+missed >= counted {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	// A missed firing need not have sent a probe, and may be of another namespace.
	verdict := "exact"
	switch off := int64(sent+failed+missed) - int64(counted); {
	case off < 0 || sent+failed > counted:
		verdict = fmt.Sprintf("NOT THE SAME, by %d", off)
	case off > 0:
		verdict = fmt.Sprintf("exact, if %d of the missed firings sent none", off)
	}
	return fmt.Sprintf("\n  metrics  %d probes and %d missed, the kernel counts %d: %s; %d answers; lost: ring %d", sent+failed, missed, counted, verdict, answers, ring), nil
}
