// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/tui"
)

// TestSinksSayWhatTheyWant: a close that the user did not ask for reaches the
// live view always, a log file beside it where the filter passes it, and no
// other output.
func TestSinksSayWhatTheyWant(t *testing.T) {
	for _, tt := range []struct {
		name   string
		all    bool
		filter events.Filter
		log    string
		out    string
	}{
		{"no filter", false, events.Filter{}, "probe closed", "probe"},
		{"--all", true, events.Filter{}, "probe timer closed", "probe timer closed"},
		{"another event", false, events.Filter{Kinds: []events.Kind{events.KindProbe}}, "probe", "probe"},
		{"another process", false, events.Filter{Owner: conn.OwnerFilter{Comms: []string{"other"}}}, "", ""},
	} {
		var logged, told bytes.Buffer
		log, out := newLineSink(&logged, outputJSON), newLineSink(&told, outputJSON)
		log.closes = true
		at := time.Unix(1e9, 0)
		store := tui.NewStore(tui.Options{Now: func() time.Time { return at }})
		s, _, _ := wait(tt.filter)
		s.sink, s.all = tee{log, store, out}, tt.all
		listed := on(0, 1, 1)
		listed.Time = at
		store.Listing().Add(listed) // so that there is a row in any case
		for _, kind := range []events.Kind{events.KindProbe, events.KindTimer, events.KindClosed} {
			e := on(kind, 1, 1)
			e.Time = at
			e.Process = shop
			must(t, s.pass(e))
		}
		must(t, s.sink.Flush())
		for _, sink := range [][2]string{{logged.String(), tt.log}, {told.String(), tt.out}} {
			var kinds []string
			for _, line := range strings.Split(sink[0], "\n") {
				if _, rest, ok := strings.Cut(line, `"event":"`); ok {
					kind, _, _ := strings.Cut(rest, `"`)
					kinds = append(kinds, kind)
				}
			}
			if got, want := strings.Join(kinds, " "), sink[1]; got != want {
				t.Errorf("%s: %q, want %q", tt.name, got, want)
			}
		}
		var sn tui.Snapshot
		if store.Snapshot(tui.Query{}, 0, &sn); sn.Kept() != 0 {
			t.Errorf("%s: the row of a closed connection stays", tt.name)
		}
	}
}
