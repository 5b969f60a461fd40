// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// pieceRows is how many rows a processor takes at a time: handing them out then
// costs nothing, and their text is some hundred KiB.
const pieceRows = 2048

// spread calls do for the pieces of 0 to n, on all processors at once. A piece
// begins at a multiple of pieceRows.
func spread(n int, do func(from, to int)) {
	var next atomic.Int64
	work := func() {
		for {
			from := int(next.Add(pieceRows)) - pieceRows
			if from >= n {
				return
			}
			do(from, min(n, from+pieceRows))
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), pieces(n)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

func pieces(n int) int { return (n + pieceRows - 1) / pieceRows }

// writeRows writes what draw appends for the rows from 0 to n, in their order. They
// are drawn on all processors, and written when each has drawn a piece. It ends
// with the first error of w.
func writeRows(w io.Writer, n int, draw func(dst []byte, from, to int) []byte) error {
	texts := make([][]byte, min(runtime.GOMAXPROCS(0), pieces(n)))
	for begin := 0; begin < n; begin += pieceRows * len(texts) {
		some := min(n-begin, pieceRows*len(texts))
		spread(some, func(from, to int) {
			text := &texts[from/pieceRows]
			*text = draw((*text)[:0], begin+from, begin+to)
		})
		for _, text := range texts[:pieces(some)] {
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
	}
	return nil
}
