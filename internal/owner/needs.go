// SPDX-License-Identifier: BSD-2-Clause

package owner

import "golang.org/x/sys/unix"

// Needs are the capabilities that help the Resolver from now on; without them it
// finds less. What opening the iterator takes is needed no longer.
func (r *Resolver) Needs() []int {
	cgroups := unix.CAP_DAC_READ_SEARCH // open_by_handle_at(2)
	if r.files != nil {
		return []int{cgroups}
	}
	// Other users' /proc/PID/fd: the directory, and each link in it.
	return []int{cgroups, unix.CAP_SYS_PTRACE}
}
