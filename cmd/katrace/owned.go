// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/binary"
	"hash/maphash"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// owned remembers whose each connection was when its owner was last known. At a
// connection's end its descriptor is often gone already. Of many connections, such as
// those that close without an event, it remembers the ones that were told of last. The
// zero value holds none.
type owned struct {
	seed     maphash.Seed
	now, old ownedSince // when now is full, it takes the place of old
}

type ownedSince struct {
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

// So many there are in now, and no more in old.
const (
	maxOwned  = 1 << 18 // connections, some 25 bytes each
	maxOwners = 1 << 12 // some 400 bytes each
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
	if o.now.conns == nil || len(o.now.conns) >= maxOwned || len(o.now.owners) >= maxOwners {
		if o.now.conns == nil {
			o.seed = maphash.MakeSeed()
		}
		o.now, o.old = ownedSince{map[uint64]ownedConn{}, nil, map[ownerFacts]uint32{}}, o.now
	}
	key, is := o.key(e), ownerOf(e)
	if c, ok := o.now.conns[key]; ok && c.inode == uint32(e.Inode) && o.now.owners[c.owner] == is {
		return
	}
	owner, ok := o.now.index[is]
	if !ok {
		owner = uint32(len(o.now.owners))
		o.now.owners, o.now.index[is] = append(o.now.owners, is), owner
	}
	o.now.conns[key] = ownedConn{uint32(e.Inode), owner}
}

// find is what was remembered last of the connection with that key.
func (o *owned) find(key uint64) (ownedConn, *ownerFacts) {
	for _, in := range [...]*ownedSince{&o.now, &o.old} {
		if c, ok := in.conns[key]; ok {
			return c, &in.owners[c.owner]
		}
	}
	return ownedConn{}, nil
}

// recall sets the owner that the connection had, if that is known and the
// event's socket is still the same.
func (o *owned) recall(e *events.Event) bool {
	if o.empty() {
		return false
	}
	c, had := o.find(o.key(e))
	if had == nil || e.Inode != 0 && c.inode != uint32(e.Inode) || e.Unaccepted() && c.inode != 0 {
		return false
	}
	is := *had
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
	if !o.empty() {
		key := o.key(e)
		delete(o.now.conns, key)
		delete(o.old.conns, key)
	}
}

// empty says that nothing was ever remembered.
func (o *owned) empty() bool { return o.now.conns == nil }
