// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSpread: each place is in one piece, and a piece is no longer than it may be.
func TestSpread(t *testing.T) {
	for _, n := range []int{0, 1, pieceRows - 1, pieceRows, pieceRows + 1, 7*pieceRows + 5} {
		times := make([]atomic.Int32, n)
		spread(n, func(from, to int) {
			if from%pieceRows != 0 || to-from > pieceRows {
				t.Errorf("%d: a piece from %d to %d", n, from, to)
			}
			for i := from; i < to; i++ {
				times[i].Add(1)
			}
		})
		for i := range times {
			if got := times[i].Load(); got != 1 {
				t.Fatalf("%d: place %d is in %d pieces", n, i, got)
			}
		}
	}
}

// TestWriteRows: what is drawn on several processors is written in order, and the first
// error ends it.
func TestWriteRows(t *testing.T) {
	draw := func(dst []byte, from, to int) []byte {
		for i := from; i < to; i++ {
			dst = fmt.Appendln(dst, i)
		}
		return dst
	}
	for _, n := range []int{0, 1, pieceRows, 9*pieceRows + 3} {
		var got, want strings.Builder
		if err := writeRows(&got, n, draw); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			fmt.Fprintln(&want, i)
		}
		if got.String() != want.String() {
			t.Errorf("%d rows: %d bytes, want %d, or they are in another order", n, got.Len(), want.Len())
		}
	}
	full := &failing{}
	if err := writeRows(full, 99*pieceRows, draw); !errors.Is(err, errFull) || full.writes != 1 {
		t.Errorf("%v after %d writes, want %v after the first", err, full.writes, errFull)
	}
}

var errFull = errors.New("full")

type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, errFull
}
