// SPDX-License-Identifier: BSD-2-Clause

package main

import "testing"

func TestGarbagePercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, 100}, {1 << 20, 100}, {32 << 20, 100}, {33 << 20, 95}, {64 << 20, 50}, {128 << 20, 25}, {200 << 20, 25}, {1 << 40, 25},
	} {
		if got := garbagePercent(tt.live); got != tt.want {
			t.Errorf("%d bytes: %d %%, want %d %%", tt.live, got, tt.want)
		}
	}
}
