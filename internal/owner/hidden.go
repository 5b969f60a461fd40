// SPDX-License-Identifier: BSD-2-Clause

package owner

import "katrace/internal/contained"

// Hidden is what a container does not let its processes see of the sockets' owners,
// and what would change that. Nothing is hidden on a host.
func Hidden() (what []string) {
	alone := !contained.HostPIDs() || !ownProc()
	if alone {
		what = append(what, "the host's processes (this container has a pid namespace of its own: start it with --pid=host, in Kubernetes hostPID: true)")
	}
	if _, known := above(); !known && !contained.HostCgroups() {
		paths := "the paths of cgroups" // the processes' containers and pods are seen in /proc
		if alone {
			paths = "cgroups, containers and pods"
		}
		what = append(what, paths+" (the host's /sys/fs/cgroup is not mounted in this container)")
	}
	return what
}
