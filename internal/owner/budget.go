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

// checks says which answers are held against /proc before they are given: a few µs each.
// A slow stream has each of its answers checked. Where there are more than limit in a
// second the others are not. Where there were ten times as many in the second before, a
// tenth of limit are, and as many again spread over the second: enough to notice that
// sockets have changed hands in numbers, of which a scan then tells.
type checks struct {
	limit  int64
	second atomic.Int64
	given  atomic.Int64 // within the second
	every  atomic.Int64 // the how-manieth of them is checked
}

const manyTimes = 10

// take says whether an answer is to be checked at that time. Two callers that meet at the
// turn of a second may get a few checks more between them.
func (c *checks) take(now time.Duration) bool {
	if s, was := int64(now/time.Second), c.second.Load(); s != was || c.every.Load() == 0 {
		every := int64(1)
		if given := c.given.Load(); s == was+1 && c.limit > 0 && given > manyTimes*c.limit {
			every = manyTimes * given / c.limit
		}
		c.second.Store(s)
		c.every.Store(every)
		c.given.Store(0)
	}
	given, every := c.given.Add(1), c.every.Load()
	if every == 1 {
		return given <= c.limit
	}
	return given <= c.limit/manyTimes || given%every == 0 && given/every <= c.limit
}
