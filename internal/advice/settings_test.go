// SPDX-License-Identifier: BSD-2-Clause

package advice

import (
	"testing"
	"time"

	"katrace/internal/conn"
)

func TestPatienceIsTheKernels(t *testing.T) {
	// The cases of the kernel's documentation and of measurements: the default
	// is 7875 s; 1 s, 1 s, 3 is given up after 4 s; a user timeout of 2.5 s
	// ends that at the third firing with two unanswered.
	s := time.Second
	for _, tt := range []struct {
		k      conn.Settings
		at     time.Duration
		probes int
	}{
		{conn.Settings{Idle: 7200 * s, Interval: 75 * s, Count: 9}, 7875 * s, 9},
		{conn.Settings{Idle: s, Interval: s, Count: 3}, 4 * s, 3},
		{conn.Settings{Idle: s, Interval: s, Count: 3, UserTimeout: 2500 * time.Millisecond}, 3 * s, 2},
	} {
		if at, probes := Patience(tt.k, tt.k.Idle); at != tt.at || probes != tt.probes {
			t.Errorf("%+v: %s, %d; want %s, %d", tt.k, at, probes, tt.at, tt.probes)
		}
	}
}
