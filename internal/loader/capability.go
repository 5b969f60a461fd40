// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Capability is one that katrace uses, and whether this process has it.
type Capability struct {
	Name string
	For  string // what it is needed for
	Have bool
}

// used lists the capabilities that matter, by docs/privileges.md.
var used = []struct {
	number    int
	name, why string
}{
	{unix.CAP_BPF, "CAP_BPF", "load programs and maps"},
	{unix.CAP_PERFMON, "CAP_PERFMON", "attach to kernel functions and tracepoints"},
	{unix.CAP_SYSLOG, "CAP_SYSLOG", "the address of tcp_keepalive_timer (tracepoint backend)"},
	{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "memory for maps before 5.11, where RLIMIT_MEMLOCK is low"},
	{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "other users' network namespaces (list); who holds a socket, by /proc"},
	{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "a socket's cgroup; who holds a socket, by /proc"},
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "to enter other network namespaces (list); the demo; whether hooks fire (doctor)"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "the demo"},
	{unix.CAP_NET_RAW, "CAP_NET_RAW", "the demo"},
}

// capabilities tells which of the capabilities that matter are effective.
func capabilities() []Capability {
	own, err := readCapabilities()
	var caps []Capability
	for _, c := range used {
		caps = append(caps, Capability{c.name, c.why, err == nil && own.effective.has(c.number)})
	}
	return caps
}

// capSet is a set of capabilities, a bit each.
type capSet uint64

func capsOf(numbers ...int) (s capSet) {
	for _, n := range numbers {
		s |= 1 << n
	}
	return s
}

func (s capSet) has(number int) bool { return s>>number&1 == 1 }

// String is "CAP_BPF and CAP_PERFMON", in the order of the list above.
func (s capSet) String() string {
	var names []string
	for _, c := range used {
		if s.has(c.number) {
			names = append(names, c.name)
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// threadCaps are the capabilities of a thread (capabilities(7)).
type threadCaps struct{ effective, permitted, inheritable capSet }

// readCapabilities reads the calling thread's.
func readCapabilities() (threadCaps, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if err := unix.Capget(&header, &d[0]); err != nil {
		return threadCaps{}, fmt.Errorf("read capabilities: %w", err)
	}
	join := func(low, high uint32) capSet { return capSet(high)<<32 | capSet(low) }
	return threadCaps{
		join(d[0].Effective, d[1].Effective), join(d[0].Permitted, d[1].Permitted), join(d[0].Inheritable, d[1].Inheritable),
	}, nil
}

// data is c as capset(2) wants it.
func (c threadCaps) data() [2]unix.CapUserData {
	half := func(shift int) unix.CapUserData {
		return unix.CapUserData{
			Effective: uint32(c.effective >> shift), Permitted: uint32(c.permitted >> shift), Inheritable: uint32(c.inheritable >> shift),
		}
	}
	return [2]unix.CapUserData{half(0), half(32)}
}

// missing tells which capabilities loading and attaching want and this process
// does not have. CAP_SYS_ADMIN stands in for those that were split off it in 5.8.
func missing() capSet {
	own, err := readCapabilities()
	if err != nil {
		return 0
	}
	need := capsOf(unix.CAP_BPF, unix.CAP_PERFMON)
	if own.effective.has(unix.CAP_SYS_ADMIN) {
		need = 0
	}
	return need &^ own.effective
}
