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
	Process                  // the program's name, whatever its pid, or the kernel
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
	Process   Program
	Container string
	Pod       string
	Workload  conn.PodName // the workload's name; not by Pod, whose it is
	On        Switch
	Settings  conn.Settings // where On is SwitchedOn
	Netns     uint32
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
			id.Container = s.Container
		case Pod:
			id.Pod = s.Pod
		case Workload:
			if !keys.Has(Pod) {
				id.Workload = conn.PodName{Namespace: s.PodNamespace, Name: s.Workload()}
			}
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
		id.Process.Compare(other.Process), cmp.Compare(id.Container, other.Container), cmp.Compare(id.Pod, other.Pod),
		cmp.Compare(id.Workload.Namespace, other.Workload.Namespace), cmp.Compare(id.Workload.Name, other.Workload.Name),
		cmp.Compare(id.On, other.On), id.Settings.Compare(&other.Settings), cmp.Compare(id.Netns, other.Netns))
}

// Has says whether the connections are grouped by k.
func (keys Keys) Has(k Key) bool { return slices.Contains(keys, k) }
