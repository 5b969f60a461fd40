// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"testing"

	"katrace/internal/events"
)

// TestClosedBesideView: closes are told with --all, and beside the live view,
// whose log file has them, too. The view hears of those that the filter refuses.
func TestClosedBesideView(t *testing.T) {
	only2 := events.Filter{}
	only2.Socket.RemotePorts = []uint16{2}
	for _, tt := range []struct {
		name      string
		view, all bool
		log, rows []string
	}{
		{"text", false, false, nil, nil},
		{"text, --all", false, true, []string{"timer 2", "closed 2"}, nil},
		{"live", true, false, []string{"closed 2"}, []string{"closed 1", "closed 2"}},
		{"live, --all", true, true, []string{"timer 2", "closed 2"}, []string{"closed 1", "timer 2", "closed 2"}},
	} {
		s, _, log := wait(only2)
		rows := &lines{}
		if s.all = tt.all; tt.view {
			s.sink, s.rows = tee{log, rows}, rows
		}
		for _, e := range []*events.Event{on(events.KindTimer, 1, 0), on(events.KindClosed, 1, 0), on(events.KindTimer, 2, 0), on(events.KindClosed, 2, 0)} {
			must(t, s.tell(e))
		}
		log.want(t, tt.name, tt.log...)
		rows.want(t, tt.name+": the view", tt.rows...)
	}
}
