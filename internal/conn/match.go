// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// SocketFilter is the part of the user's filter that the socket itself can
// answer: the kernel tests it, too. Values of one kind are or-ed, kinds are
// and-ed; the zero value passes all.
type SocketFilter struct {
	Netns       []uint32
	Ports       []uint16 // either side's
	LocalPorts  []uint16
	RemotePorts []uint16
	Prefixes    []netip.Prefix // either side's address
	OnlyIPv4    bool           // IPv4-mapped included
	OnlyIPv6    bool
}

// Match says whether the filter wants the connection.
func (f *SocketFilter) Match(s *State) bool {
	if f.OnlyIPv4 != f.OnlyIPv6 && f.OnlyIPv6 != (s.Family == IPv6) {
		return false
	}
	if len(f.Netns) > 0 && !slices.Contains(f.Netns, s.Netns) {
		return false
	}
	local, remote := s.Local.Port(), s.Remote.Port()
	if len(f.Ports) > 0 && !slices.Contains(f.Ports, local) && !slices.Contains(f.Ports, remote) {
		return false
	}
	if len(f.LocalPorts) > 0 && !slices.Contains(f.LocalPorts, local) {
		return false
	}
	if len(f.RemotePorts) > 0 && !slices.Contains(f.RemotePorts, remote) {
		return false
	}
	return len(f.Prefixes) == 0 || slices.ContainsFunc(f.Prefixes, func(p netip.Prefix) bool {
		return p.Contains(s.Local.Addr()) || p.Contains(s.Remote.Addr())
	})
}

// OwnerFilter is the part of the user's filter that asks for the owner. A
// connection whose owner is not known does not match.
type OwnerFilter struct {
	PIDs       []int
	Comms      []string
	Cgroups    []string // the path, or one above it
	Containers []string // the id, its beginning, or the name
	Pods       []PodName
}

// PodName is a Kubernetes pod's namespace and name.
type PodName struct{ Namespace, Name string }

// Any says whether the filter asks for anything.
func (f *OwnerFilter) Any() bool {
	return len(f.PIDs)+len(f.Comms)+len(f.Cgroups)+len(f.Containers)+len(f.Pods) > 0
}

// Match says whether the filter wants a connection of this owner.
func (f *OwnerFilter) Match(o *Owner) bool {
	return (len(f.PIDs) == 0 || slices.Contains(f.PIDs, o.Process.PID)) &&
		(len(f.Comms) == 0 || o.Process.Comm != "" && slices.Contains(f.Comms, o.Process.Comm)) &&
		(len(f.Cgroups) == 0 || o.Cgroup != "" && slices.ContainsFunc(f.Cgroups, func(c string) bool {
			return o.Cgroup == c || strings.HasPrefix(o.Cgroup, strings.TrimSuffix(c, "/")+"/")
		})) &&
		(len(f.Containers) == 0 || o.Container != "" && slices.ContainsFunc(f.Containers, func(c string) bool {
			return strings.HasPrefix(o.Container, c) || o.ContainerName == c
		})) &&
		(len(f.Pods) == 0 || o.PodName != "" && slices.Contains(f.Pods, PodName{o.PodNamespace, o.PodName}))
}

// Unknown says that what the filter asks of the owner is not known, and that
// nothing that is known speaks against it.
func (f *OwnerFilter) Unknown(o *Owner) bool {
	process := o.Process.PID == 0 && o.HeldBy != HeldByKernel
	// The root, without a process, is where cgroup v1 has all sockets.
	cgroup := o.Cgroup == "" || o.Cgroup == "/" && o.Process.PID == 0
	// In a container, what a cgroup is can be known where its path is not.
	container := cgroup && o.Container == ""
	pod := cgroup && o.Pod == "" || o.Pod != "" && o.PodName == ""
	assumed := *f
	if process {
		assumed.PIDs, assumed.Comms = nil, nil
	}
	if cgroup {
		assumed.Cgroups = nil
	}
	if container {
		assumed.Containers = nil
	}
	if pod {
		assumed.Pods = nil
	}
	return (process && len(f.PIDs)+len(f.Comms) > 0 || cgroup && len(f.Cgroups) > 0 || container && len(f.Containers) > 0 || pod && len(f.Pods) > 0) &&
		assumed.Match(o)
}

// AppendHaystack appends what the screen shows of a connection for all its life
// or nearly so, in lower case, for a search as the user types: addresses, owner,
// where it lives, and once it has ended the error that the application reads.
// netns names network namespaces; nil: none has a name.
func (s *State) AppendHaystack(b []byte, errno string, netns func(uint32) string) []byte {
	from := len(b)
	b = s.Local.AppendTo(b)
	b = append(b, ' ')
	b = s.Remote.AppendTo(b)
	b = append(b, ' ')
	b = s.AppendOwner(b)
	if s.Has&HasUID != 0 {
		b = append(b, " uid:"...)
		b = strconv.AppendUint(b, uint64(s.UID), 10)
	}
	for _, t := range [...]string{s.Host, s.Cgroup, s.Container, s.ContainerName, s.Pod, errno} {
		b = append(append(b, ' '), t...)
	}
	if s.PodName != "" {
		b = append(append(append(append(b, ' '), s.PodNamespace...), '/'), s.PodName...)
	}
	b = append(b, " netns:"...)
	b = append(b, NetnsWords(s.Netns, netns)...)
	return append(b[:from], bytes.ToLower(b[from:])...)
}

// NetnsWords names a network namespace: "red (4026532190)", or its number alone.
func NetnsWords(netns uint32, name func(uint32) string) string {
	number := strconv.FormatUint(uint64(netns), 10)
	if name == nil || netns == 0 {
		return number
	}
	if s := name(netns); s != "" {
		return s + " (" + number + ")"
	}
	return number
}
