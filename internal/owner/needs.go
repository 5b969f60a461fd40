// SPDX-License-Identifier: BSD-2-Clause

package owner

import "golang.org/x/sys/unix"

// Needs are the capabilities that help a Resolver for as long as it runs;
// without them it finds less. Also where a BPF iterator finds the holders: that
// one still holds its descriptor, /proc says.
var Needs = []int{
	unix.CAP_DAC_READ_SEARCH, // a socket's cgroup: open_by_handle_at(2)
	unix.CAP_SYS_PTRACE,      // other users' /proc/PID/fd
}
