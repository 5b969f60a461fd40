// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/binary"
	"hash/maphash"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// owned remembers whose each connection was when its owner was last known. At a
// connection's end its descriptor is often gone already. The zero value holds
// none.
type owned struct {
	seed   maphash.Seed
	conns  map[uint64]ownedConn // by a hash of the connection: a tuple is large
	owners []ownerFacts
	index  map[ownerFacts]uint32
}

// ownedConn has no pointer for the garbage collector to follow: a machine may
// have a million connections.
type ownedConn struct {
	inode uint32 // 0: not accepted yet
	owner uint32 // index in owned.owners
}

type ownerFacts struct {
	process                conn.Process
	heldBy                 conn.HeldBy
	cgroup, container, pod string
	containerName          string
	podName                conn.PodName
}

func ownerOf(e *events.Event) ownerFacts {
	return ownerFacts{e.Process, e.HeldBy, e.Cgroup, e.Container, e.Pod, e.ContainerName, conn.PodName{Namespace: e.PodNamespace, Name: e.PodName}}
}

func (o *ownerFacts) set(e *events.Event) {
	e.Process, e.HeldBy, e.Cgroup, e.Container, e.Pod = o.process, o.heldBy, o.cgroup, o.container, o.pod
	e.ContainerName, e.PodNamespace, e.PodName = o.containerName, o.podName.Namespace, o.podName.Name
}

// What is remembered is forgotten when there is more of it.
const (
	maxOwned  = 1 << 20 // connections, some 20 bytes each
	maxOwners = 1 << 16
)

func (o *owned) key(e *events.Event) uint64 {
	var b [40]byte
	local, remote := e.Local.Addr().As16(), e.Remote.Addr().As16()
	copy(b[:], local[:])
	copy(b[16:], remote[:])
	binary.NativeEndian.PutUint16(b[32:], e.Local.Port())
	binary.NativeEndian.PutUint16(b[34:], e.Remote.Port())
	binary.NativeEndian.PutUint32(b[36:], e.Netns)
	return maphash.Bytes(o.seed, b[:])
}

// remember takes over the owner that the event names.
func (o *owned) remember(e *events.Event) {
	if o.conns == nil || len(o.conns) >= maxOwned || len(o.owners) >= maxOwners {
		*o = owned{maphash.MakeSeed(), map[uint64]ownedConn{}, nil, map[ownerFacts]uint32{}}
	}
	key, is := o.key(e), ownerOf(e)
	if c, ok := o.conns[key]; ok && c.inode == uint32(e.Inode) && o.owners[c.owner] == is {
		return
	}
	owner, ok := o.index[is]
	if !ok {
		owner = uint32(len(o.owners))
		o.owners, o.index[is] = append(o.owners, is), owner
	}
	o.conns[key] = ownedConn{uint32(e.Inode), owner}
}

// recall sets the owner that the connection had, if that is known and the
// event's socket is still the same.
func (o *owned) recall(e *events.Event) bool {
	if len(o.conns) == 0 {
		return false
	}
	c, ok := o.conns[o.key(e)]
	if !ok || e.Inode != 0 && c.inode != uint32(e.Inode) || e.Unaccepted() && c.inode != 0 {
		return false
	}
	is := o.owners[c.owner]
	if e.Cgroup != "" && e.Cgroup != "/" {
		its := ownerOf(e) // the socket's own
		its.process, its.heldBy = is.process, is.heldBy
		is = its
	}
	is.set(e)
	return true
}

// forget is for a connection that has ended.
func (o *owned) forget(e *events.Event) {
	if len(o.conns) > 0 {
		delete(o.conns, o.key(e))
	}
}
