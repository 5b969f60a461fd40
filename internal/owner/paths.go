// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"math"
	"time"
)

// CgroupPaths finds paths of cgroups for one list, without a bound on the rate.
type CgroupPaths struct{ c *cgroups }

// NewCgroupPaths makes one; Close gives its descriptor back.
func NewCgroupPaths() *CgroupPaths {
	c := newCgroups("/proc/self/mountinfo")
	c.tries.limit = math.MaxInt64
	return &CgroupPaths{c}
}

// Find is the path of the cgroup v2 with that id, and the container that it
// belongs to; zero where they are not known. It needs CAP_DAC_READ_SEARCH.
func (p *CgroupPaths) Find(id uint64) (path string, container Container) {
	return p.c.find(id, time.Duration(0))
}

// Close ends its use.
func (p *CgroupPaths) Close() { p.c.close() }
