// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"sync/atomic"
	"time"
)

// budget allows so many uses a second and refuses the rest, without waiting.
type budget struct {
	limit  int64
	second atomic.Int64
	used   atomic.Int64
}

// take says whether one more use is allowed at that time. Two callers that
// meet at the turn of a second may get a few uses more between them.
func (b *budget) take(now time.Duration) bool {
	if s := int64(now / time.Second); b.second.Load() != s {
		b.second.Store(s)
		b.used.Store(0)
	}
	return b.used.Load() < b.limit && b.used.Add(1) <= b.limit
}
