// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/internal/logfile"
)

// TestChooseRecords: the kernel's side counts, and leaves records out, only where
// that is the same to who reads.
func TestChooseRecords(t *testing.T) {
	metrics := metricsOptions{addr: "unix:/x"}
	changes := events.Filter{Changes: true}
	nine := events.Filter{Changes: true, Socket: conn.SocketFilter{Ports: make([]uint16, 9)}}
	owner := events.Filter{Changes: true, Owner: conn.OwnerFilter{Comms: []string{"x"}}}
	for _, tt := range []struct {
		name            string
		o               streamOptions
		counting, quiet bool
	}{
		{"every event", streamOptions{output: outputJSON}, false, false},
		{"changes", streamOptions{output: outputJSON, filter: changes}, false, true},
		{"changes to a file alone", streamOptions{output: outputNone, filter: changes}, false, true},
		{"changes of an owner", streamOptions{output: outputJSON, filter: owner}, false, true},
		{"the live view", streamOptions{output: outputTUI, filter: changes}, false, false},
		{"metrics", streamOptions{output: outputJSON, metrics: metrics}, true, false},
		{"changes and metrics", streamOptions{output: outputNone, filter: changes, metrics: metrics}, true, true},
		{"metrics alone", streamOptions{output: outputNone, metrics: metrics}, true, true},
		{"metrics, up to some event", streamOptions{output: outputNone, metrics: metrics, count: 5}, true, false},
		{"metrics and a log", streamOptions{output: outputNone, metrics: metrics, log: logfile.Options{Path: "x"}}, true, false},
		{"metrics of an owner: the programs do not know it", streamOptions{output: outputNone, filter: owner, metrics: metrics}, false, false},
		{"metrics of more ports than the programs test", streamOptions{output: outputNone, filter: nine, metrics: metrics}, false, false},
		{"changes of more ports than the programs test", streamOptions{output: outputNone, filter: nine}, false, true},
		{"round trips for the metrics", streamOptions{output: outputNone, filter: changes, metrics: metrics, load: loader.Options{ExactRTT: true}}, true, false},
	} {
		if tt.o.chooseRecords(); tt.o.load.Counting != tt.counting || tt.o.load.Quiet != tt.quiet {
			t.Errorf("%s: counting %t, quiet %t; want %t, %t", tt.name, tt.o.load.Counting, tt.o.load.Quiet, tt.counting, tt.quiet)
		}
	}
}
