// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"katrace/internal/events"
)

// kernelCounts are counters that are taken over from the kernel's side at each
// scrape: they have what the ring buffer lost.
type kernelCounts struct {
	read func() (events.Counts, error)
	to   [len(events.Counts{})]prometheus.Counter // nil: not exposed

	mu   sync.Mutex // scrapes may come at once
	last events.Counts
}

func (m *Metrics) countKernel(read func() (events.Counts, error)) *kernelCounts {
	if read == nil {
		return nil
	}
	k := &kernelCounts{read: read}
	for i, e := range events.Counted() {
		if k.to[i] = m.counterOf(&e); e.Kind == 0 {
			k.to[i] = m.changes[e.Change]
		}
	}
	return k
}

// gather is the registry's, with what the kernel's side has counted by now.
func (m *Metrics) gather() ([]*dto.MetricFamily, error) {
	if m.kernel != nil {
		if err := m.kernel.take(); err != nil {
			return nil, err
		}
	}
	return m.registry.Gather()
}

func (k *kernelCounts) take() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.read()
	if err != nil {
		return err
	}
	for i, n := range now {
		if k.to[i] != nil && n > k.last[i] {
			k.to[i].Add(float64(n - k.last[i]))
		}
	}
	k.last = now
	return nil
}
