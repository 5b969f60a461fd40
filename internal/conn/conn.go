// SPDX-License-Identifier: BSD-2-Clause

// Package conn is what katrace knows of a TCP connection, whoever says it: an
// event, a list of sockets, a row of the live view. It holds the connection's
// State, the kernel's arithmetic on its keepalive settings, the keys of its JSON,
// the filters on it, and its words. It knows no BPF, no events and no sinks.
package conn

import (
	"net/netip"
	"strings"
	"time"
)

// State is what is known of a connection. It is embedded in events.Event,
// inventory.Socket and the live view's rows.
//
// A fact that is not known is absent: Has holds those that have no natural
// "nothing" value. A zero Netns, Inode, PID or enumeration, an empty string and
// an invalid address mean absent.
type State struct {
	Host     string // the host's name, where a recording says it
	Netns    uint32 // inode number of the network namespace (net.ns.inum)
	Inode    uint64 // the socket's inode number; 0: an orphan, no file refers to it
	Family   Family
	TCPState TCPState
	Local    netip.AddrPort
	Remote   netip.AddrPort

	Owner

	Keepalive  Settings // HasKeepalive: the values in force
	Unanswered int      // HasUnanswered: probes sent and not answered
	WaitsFor   Waiting  // what the keepalive timer waits for

	Has Fact
}

// Timer is what is known of the keepalive timer at one moment. Its facts are in
// State.Has.
type Timer struct {
	IdleFor time.Duration // HasIdleFor: since the last segment from the peer
	Next    time.Duration // HasNext: until the timer's next firing that sends a probe or gives up
	DiesIn  time.Duration // HasDiesIn: until the kernel gives up if the peer stays silent
	// ArmedBeforeChange: the keepalive timer runs longer than the settings in
	// force would set it. False where it is not known.
	ArmedBeforeChange bool
}

// Owner is who holds the socket, where that is certain.
type Owner struct {
	Process   Process
	HeldBy    HeldBy // 0: a descriptor of Process, or not known
	Module    string // on HeldByKernel: the kernel module that uses the socket, "sunrpc"
	UID       uint32 // HasUID
	Cgroup    string
	Container string // the id
	// ContainerName is what people call the container; "": not looked for, or not known.
	ContainerName string
	Pod           string // the Kubernetes pod's uid, as the cgroup has it
	PodNamespace  string // the pod's Kubernetes namespace and name: both or neither
	PodName       string
	CgroupID      uint64 // in cgroup v2, for looking Cgroup up; 0: not known; never shown
}

// Process is the process that holds the socket, looked up by the socket's
// inode: never the task that the timer happened to interrupt.
type Process struct {
	PID  int
	Comm string // as the process named itself: not safe for a terminal
}

// Fact is a set of facts. Those from FirstOwnFact on belong to the types that
// embed State.
type Fact uint16

// The facts whose zero value is a value.
const (
	HasUID Fact = 1 << iota
	HasKeepalive
	HasUnanswered
	HasIdleFor
	HasNext
	HasDiesIn
	HasUnacked // Data
	FirstOwnFact
)

// stateFacts are the facts of State itself, not of Timer and Data.
const stateFacts = HasUID | HasKeepalive | HasUnanswered

// ID identifies a connection for as long as it lives. Its addresses can be used
// again later by another connection, which then has another inode.
type ID struct {
	Host          string // as in State: connections of two hosts are two
	Netns         uint32
	Local, Remote netip.AddrPort
}

// ID is the connection's.
func (s *State) ID() ID { return ID{s.Host, s.Netns, s.Local, s.Remote} }

// Unaccepted says that the connection waits in its listener's accept queue: no
// file refers to it, and one that its process has closed is in another state.
func (s *State) Unaccepted() bool {
	return s.Inode == 0 && (s.TCPState == TCPEstablished || s.TCPState == TCPCloseWait)
}

// Connected says that the connection can be idle: it was established, is not yet
// closed, and is no orphan that waits for the peer's FIN.
func (s *State) Connected() bool {
	if s.WaitsFor == WaitsFinWait2 {
		return false
	}
	switch s.TCPState {
	case TCPEstablished, TCPFinWait1, TCPFinWait2, TCPCloseWait, TCPLastAck, TCPClosing:
		return true
	case TCPSynSent, TCPSynRecv, TCPTimeWait, TCPClose, TCPListen, TCPNewSynRecv, TCPBoundInactive:
	}
	return false
}

// Merge takes over what a newer State of the same connection knows: what is
// absent there stays. It says whether what identifies the connection to a reader
// changed: its owner. The strings are copied, so that they do not keep the buffer
// that they may be a part of.
//
// What a probe's answer or the end of a wait takes back is not for Merge:
// WaitsFor and Unanswered are taken over where they are there.
func (s *State) Merge(newer *State) (ownerChanged bool) {
	if newer.Inode != 0 {
		s.Inode = newer.Inode
	}
	if newer.Family != 0 {
		s.Family = newer.Family
	}
	if newer.TCPState != 0 {
		s.TCPState = newer.TCPState
	}
	if newer.Has&HasKeepalive != 0 {
		s.Keepalive = newer.Keepalive
	}
	if newer.Has&HasUnanswered != 0 {
		s.Unanswered = newer.Unanswered
	}
	if newer.WaitsFor != 0 {
		s.WaitsFor = newer.WaitsFor
	}
	ownerChanged = s.mergeOwner(newer)
	s.Has |= newer.Has & stateFacts
	return ownerChanged
}

// mergeOwner is Merge's part for the owner. A socket may have left its process
// already when the last is told of it, so what is absent is not forgotten.
func (s *State) mergeOwner(newer *State) (changed bool) {
	switch n := &newer.Owner; {
	case n.Process.PID != 0:
		changed = s.Process.PID != n.Process.PID || s.HeldBy != n.HeldBy
		s.Process.PID, s.HeldBy = n.Process.PID, n.HeldBy
		changed = take(&s.Process.Comm, n.Process.Comm) || changed
	case n.HeldBy != 0 && n.HeldBy != s.HeldBy:
		s.Process, s.HeldBy = Process{}, n.HeldBy
		changed = true
	}
	if newer.Has&HasUID != 0 {
		changed = changed || s.UID != newer.UID || s.Has&HasUID == 0
		s.UID = newer.UID
	}
	if newer.CgroupID != 0 {
		s.CgroupID = newer.CgroupID
	}
	for _, t := range [...]struct {
		known *string
		told  string
	}{{&s.Module, newer.Module}, {&s.Cgroup, newer.Cgroup}, {&s.Container, newer.Container}, {&s.ContainerName, newer.ContainerName},
		{&s.Pod, newer.Pod}, {&s.PodNamespace, newer.PodNamespace}, {&s.PodName, newer.PodName}} {
		if t.told != "" {
			changed = take(t.known, t.told) || changed
		}
	}
	return changed
}

func take(known *string, told string) (changed bool) {
	if *known == told {
		return false
	}
	*known = strings.Clone(told)
	return true
}
