// SPDX-License-Identifier: BSD-2-Clause

// Package contained says whether this process is in a container, what the container
// does not show it of the host, and what to do there about a refusal: sudo does not
// help where the container was not given a privilege.
package contained

import "os"

// The inode numbers of the host's own namespaces (include/linux/proc_ns.h).
const (
	hostUser   = "user:[4026531837]"   // PROC_USER_INIT_INO
	hostPIDs   = "pid:[4026531836]"    // PROC_PID_INIT_INO
	hostCgroup = "cgroup:[4026531835]" // PROC_CGROUP_INIT_INO
)

func isHosts(kind, host string) bool {
	is, err := os.Readlink("/proc/self/ns/" + kind)
	return err != nil || is == host
}

// HostUsers says that capabilities count on the host: this is its user namespace, and
// no rootless container's. It is true where the kernel does not tell, as for those below.
func HostUsers() bool { return isHosts("user", hostUser) }

// HostPIDs says that this is the host's pid namespace.
func HostPIDs() bool { return isHosts("pid", hostPIDs) }

// HostCgroups says that this is the host's cgroup namespace: paths in /proc/PID/cgroup
// begin at the hierarchy's root.
func HostCgroups() bool { return isHosts("cgroup", hostCgroup) }

// Is says that this process is in a container, in one of these namespaces of its own.
// (A file such as /.dockerenv is no sign: virtual machines are made from images, too.)
func Is() bool { return !HostCgroups() || !HostPIDs() || !HostUsers() }

// Remedy is the next step for a process that lacks a privilege.
func Remedy() string { return remedy(Is(), HostUsers()) }

func remedy(contained, hostUsers bool) string {
	switch {
	case !hostUsers:
		return "in a user namespace it does not count: start the container as the host's root"
	case contained:
		return "start the container with more: --cap-add, in Kubernetes securityContext.capabilities.add"
	}
	return "try sudo"
}
