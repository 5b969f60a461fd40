// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"testing"
	"time"

	"katrace/internal/jiffies"
)

// TestMiddleboxes: the longer of idle and interval decides, and a timer that may
// be late is perhaps too late.
func TestMiddleboxes(t *testing.T) {
	const s = time.Second
	nlb := Middlebox{Forgets: 350 * s}
	for _, tt := range []struct {
		idle, intvl time.Duration
		want        Timeliness
	}{
		{300 * s, 75 * s, InTime},
		{333 * s, 75 * s, InTime},
		{334 * s, 75 * s, PerhapsTooLate},
		{350 * s, 75 * s, PerhapsTooLate},
		{351 * s, 75 * s, TooLate},
		{60 * s, 400 * s, TooLate},
	} {
		if got := nlb.Judge(Settings{Idle: tt.idle, Interval: tt.intvl}.Period(), 250); got != tt.want {
			t.Errorf("%s/%s: %s, want %s", tt.idle, tt.intvl, got, tt.want)
		}
	}
	if got := nlb.SafeIdle(250); got != 333*s {
		t.Errorf("safe: %s, want 333s", got)
	}
	for i, m := range Middleboxes {
		if m.Name == "" || m.Title == "" || i > 0 && m.Forgets <= Middleboxes[i-1].Forgets {
			t.Errorf("%+v", m)
		}
		for _, hz := range []jiffies.HZ{0, 100, 250, 300, 1000} {
			if safe := m.SafeIdle(hz); m.Judge(safe, hz) != InTime || m.Judge(safe+s, hz) == InTime {
				t.Errorf("%s at HZ %d: %s is not the largest that is safe", m.Name, hz, safe)
			}
		}
	}
}
