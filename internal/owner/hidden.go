// SPDX-License-Identifier: BSD-2-Clause

package owner

import "katrace/internal/contained"

// Hidden is what a container does not let its processes see of the sockets' owners,
// and what would change that. Nothing is hidden on a host.
func Hidden() (what []string) {
	if !contained.HostPIDs() || !ownProc() {
		what = append(what, "the host's processes (this container has a pid namespace of its own: start it with --pid=host, in Kubernetes hostPID: true)")
	}
	if _, known := above(); !known && !contained.HostCgroups() {
		what = append(what, "cgroups, containers and pods (the host's /sys/fs/cgroup is not mounted in this container)")
	}
	return what
}
