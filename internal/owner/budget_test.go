// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"testing"
	"time"
)

// TestChecks: a slow stream has each answer checked, a faster one as many a second as are
// allowed; one that is ten times as fast a fifth of that, not all at once; and a slow one
// again each.
func TestChecks(t *testing.T) {
	c := checks{limit: 100}
	second := -1
	// at is how many of the second's answers are checked, and of its first half.
	at := func(answers int) (all, half int) {
		second++
		for i := range answers {
			now := time.Duration(second)*time.Second + time.Duration(i)*time.Second/time.Duration(answers)
			if c.take(now) {
				all++
				if i < answers/2 {
					half++
				}
			}
		}
		return all, half
	}
	for _, w := range []struct{ answers, all, half int }{
		{50, 50, 25}, {100, 100, 50}, {1000, 100, 100}, // until the limit
		{1001, 100, 100},            // the second before was not fast enough
		{5000, 10 + 50, 10 + 25},    // of the rate of the second before, a hundredth
		{50_000, 10 + 100, 10 + 50}, // much faster than the second before: until the limit
		{50_000, 10 + 10, 10 + 5},
		{500, 10, 10}, // the second behind
		{50, 50, 25},
		{50_000, 100, 100},
		{10, 10, 5}, // so few that each is checked, also there
	} {
		if all, half := at(w.answers); all != w.all || half != w.half {
			t.Errorf("second %d, %d answers: %d are checked, in the first half %d; want %d, %d", second, w.answers, all, half, w.all, w.half)
		}
	}
	second += 10
	if all, _ := at(50); all != 50 {
		t.Errorf("after a pause %d of 50 are checked", all)
	}
	none := checks{}
	for range 10 {
		if none.take(time.Hour) {
			t.Fatal("checked where none is allowed")
		}
	}
}
