// SPDX-License-Identifier: BSD-2-Clause

package loader

import "golang.org/x/sys/unix"

// Capability is one that katrace uses, and whether this process has it.
type Capability struct {
	Name string
	For  string // what it is needed for
	Have bool
}

// capabilities tells which of the capabilities that matter are effective.
func capabilities() []Capability {
	list := []struct {
		number    int
		name, why string
	}{
		{unix.CAP_BPF, "CAP_BPF", "load programs and maps"},
		{unix.CAP_PERFMON, "CAP_PERFMON", "attach to kernel functions and tracepoints"},
		{unix.CAP_SYSLOG, "CAP_SYSLOG", "the address of tcp_keepalive_timer (tracepoint backend)"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "other users' processes: who holds a socket"},
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "other network namespaces; the demo"},
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "the demo; sockets' marks"},
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	var caps []Capability
	for _, c := range list {
		have := err == nil && data[c.number/32].Effective>>(c.number%32)&1 == 1
		caps = append(caps, Capability{c.name, c.why, have})
	}
	return caps
}
