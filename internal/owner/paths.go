// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"math"
	"time"
)

// CgroupPaths finds paths of cgroups for one list: like Resolver.CgroupPath,
// without a bound on the rate.
type CgroupPaths struct{ c *cgroups }

// NewCgroupPaths makes one; Close gives its descriptor back.
func NewCgroupPaths() *CgroupPaths {
	c := newCgroups("/proc/self/mountinfo")
	c.tries.limit = math.MaxInt64
	return &CgroupPaths{c}
}

// Path is the path of the cgroup v2 with that id.
func (p *CgroupPaths) Path(id uint64) (string, bool) { return p.c.path(id, time.Duration(0)) }

// Close ends its use.
func (p *CgroupPaths) Close() { p.c.close() }
