// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"fmt"
	"math"
	"strconv"
	"testing"
)

// TestDecimal: numbers are written as strconv writes them, around each power of ten
// and of two.
func TestDecimal(t *testing.T) {
	check := func(n uint64) {
		if got, want := string(AppendDecimal([]byte("x"), n)), "x"+strconv.FormatUint(n, 10); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := string(AppendInt(nil, int64(n))), strconv.FormatInt(int64(n), 10); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for n := uint64(1); ; n *= 10 {
		check(n - 1)
		check(n)
		check(n + 1)
		if n > math.MaxUint64/10 {
			break
		}
	}
	for i := range 64 {
		check(1<<i - 1)
		check(1 << i)
		check(-(1 << i))
	}
	check(math.MaxUint64)
	for width := range 20 {
		want := fmt.Sprintf("%020d", uint64(9876543210123456789))[20-width:]
		if got := string(AppendDigits(nil, 9876543210123456789, width)); got != want {
			t.Errorf("%d digits: %s, want %s", width, got, want)
		}
	}
}
