// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"katrace/internal/events"
	"katrace/internal/loader"
)

// chooseRecords says what the kernel's side does by itself. It counts for the
// metrics where it tests the whole filter: what katrace tests afterwards, it cannot
// leave out. And it makes no record of what --changes leaves out, where nothing
// needs that: the live view shows all connections, and the metrics count round
// trips, or where the kernel's side does not, everything. Nobody reads lines where
// there are only metrics.
func (o *streamOptions) chooseRecords() {
	if o.output == outputNone && o.log.Path == "" && o.count == 0 {
		o.filter.Changes = true
	}
	o.load.Counting = o.metrics.wanted() && !o.filter.Owner.Any() && loader.FiltersAll(&o.filter.Socket)
	o.load.Quiet = o.filter.Changes && o.output != outputTUI &&
		(!o.metrics.wanted() || o.load.Counting && !o.load.ExactRTT)
}

// countsVerdicts: with --all, connections whose data is on its way are suspended as
// well, which the kernel's side does not look for.
func (o *streamOptions) countsVerdicts() bool {
	return o.load.Quiet || o.load.Counting && !o.load.All
}

// connections are those with a probe so far that have not ended, by verdict: as the
// kernel's side counts them, or where it does not, by their records.
func (s *stream) connections() events.Connections {
	if s.verdicts {
		if now, err := s.tracer.Verdicts(); err == nil {
			return events.ConnectionsBy(now[:])
		}
	}
	return s.tracker.Connections()
}
