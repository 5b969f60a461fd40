// SPDX-License-Identifier: BSD-2-Clause

// Package group says what connections have in common: their peer, the service,
// the process, the settings. The groups of `katrace list --by`, of the live view
// and of the report are made by it. It knows no events and no sinks.
package group

import (
	"cmp"
	"net/netip"
	"slices"

	"katrace/internal/conn"
	"katrace/internal/enum"
)

// Key is a thing that connections can have in common.
type Key uint8

// The keys, in the order in which help shows them.
const (
	Remote    Key = iota + 1 // the peer's address
	Service                  // the port of the side that listens
	Process                  // the program's name, whatever its pid
	Container                // the container's id
	Pod                      // the Kubernetes pod
	Workload                 // what the pod is one of many of, and its namespace
	Settings                 // keepalive off, or the settings in force
	Netns                    // the network namespace
)

var keys = enum.Names[Key]{What: "key to group by", Words: []string{
	Remote: "remote", Service: "service", Process: "process", Container: "container", Pod: "pod", Workload: "workload", Settings: "settings", Netns: "netns",
}}

func (k Key) String() string { return keys.Name(k) }

// ParseKey is the inverse of String. Its error quotes s and lists the keys.
func ParseKey(s string) (Key, error) { return keys.Parse(s) }

// KeyNames are the words of all keys.
func KeyNames() []string { return keys.All() }

// AllKeys are all of them.
func AllKeys() (all Keys) {
	for k := Remote; k <= Netns; k++ {
		all = append(all, k)
	}
	return all
}

// Keys are keys by which connections are grouped together: those that differ in
// none of them are one group.
type Keys []Key

// ID is what the connections of a group have in common. Only the fields of the
// group's keys are set; of these, zero means that the fact is not known, or that
// there is none (no container). It is comparable.
type ID struct {
	Remote    netip.Addr
	Service   Port
	Process   string // see Holder
	Container string
	// What belongs to the container's and the pod's ids, where it is known.
	ContainerName         string
	Pod                   string
	PodNamespace, PodName string
	Workload              string // in PodNamespace
	On                    Switch
	Settings              conn.Settings // where On is SwitchedOn
	Netns                 uint32
}

// Switch is whether keepalive is on, where Settings are grouped by. A State with
// settings has it on; that it is off only the list knows, which then says so here.
type Switch uint8

// The switches.
const (
	SwitchedOff Switch = iota + 1
	SwitchedOn
)

// Of is the group of a connection.
func (keys Keys) Of(s *conn.State, ports *Ports) (id ID) {
	for _, k := range keys {
		switch k {
		case Remote:
			id.Remote = s.Remote.Addr()
		case Service:
			id.Service = ports.Service(s)
		case Process:
			id.Process = Holder(&s.Owner)
		case Container:
			id.Container, id.ContainerName = s.Container, s.ContainerName
		case Pod:
			id.Pod, id.PodNamespace, id.PodName = s.Pod, s.PodNamespace, s.PodName
		case Workload:
			id.PodNamespace, id.Workload = s.PodNamespace, s.Workload()
		case Settings:
			if s.Has&conn.HasKeepalive != 0 {
				id.On, id.Settings = SwitchedOn, s.Keepalive.Values() // where they come from is another question
			}
		case Netns:
			id.Netns = s.Netns
		}
	}
	return id
}

// Compare orders groups by what they have in common, whatever their keys are.
func (id *ID) Compare(other *ID) int {
	return cmp.Or(id.Remote.Compare(other.Remote), id.Service.Compare(other.Service),
		cmp.Compare(id.Process, other.Process), cmp.Compare(id.Container, other.Container), cmp.Compare(id.ContainerName, other.ContainerName),
		cmp.Compare(id.Pod, other.Pod), cmp.Compare(id.PodNamespace, other.PodNamespace), cmp.Compare(id.PodName, other.PodName), cmp.Compare(id.Workload, other.Workload),
		cmp.Compare(id.On, other.On), id.Settings.Compare(&other.Settings), cmp.Compare(id.Netns, other.Netns))
}

// AppendPod appends the pod of a group: "shop/cart-7d9f8b6c5-x2x4k" or, where it
// has no name, its uid; nothing where there is none.
func (id *ID) AppendPod(dst []byte) []byte {
	if id.PodName == "" {
		return conn.AppendSafe(dst, id.Pod)
	}
	return appendNamed(dst, id.PodNamespace, id.PodName)
}

// AppendWorkload appends "shop/cart"; nothing where there is none.
func (id *ID) AppendWorkload(dst []byte) []byte {
	if id.Workload == "" {
		return dst
	}
	return appendNamed(dst, id.PodNamespace, id.Workload)
}

func appendNamed(dst []byte, namespace, name string) []byte {
	return conn.AppendSafe(append(conn.AppendSafe(dst, namespace), '/'), name)
}

// AppendContainer appends the container's name, or the beginning of its id.
func (id *ID) AppendContainer(dst []byte) []byte {
	if id.ContainerName != "" {
		return conn.AppendSafe(dst, id.ContainerName)
	}
	return conn.AppendShortID(dst, id.Container)
}

// Has says whether the connections are grouped by k.
func (keys Keys) Has(k Key) bool { return slices.Contains(keys, k) }

// Holder is the name of the program that holds a socket, not safe for a
// terminal; "kernel" where the kernel itself does; "" where that is not known.
func Holder(o *conn.Owner) string {
	switch {
	case o.Process.Comm != "":
		return o.Process.Comm
	case o.HeldBy == conn.HeldByKernel:
		return "kernel"
	}
	return ""
}
