// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"net/netip"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// scopesOf are the scopes of a connection, the narrowest first. The owner's has
// no level where the owner is not known.
func scopesOf(s *conn.State, kind Kind) [4]Scope {
	return [4]Scope{
		Scope{Level: Service, Addr: s.Remote}.of(kind),
		Scope{Level: Peer, Addr: netip.AddrPortFrom(s.Remote.Addr(), 0)}.of(kind),
		OwnerScope(&s.Owner).of(kind),
		Scope{Level: All}.of(kind),
	}
}

// of is the scope, looked at for incidents of a kind.
func (s Scope) of(kind Kind) Scope {
	s.kind = kind
	return s
}

// Named is what people call what has a name: "shop/cart-7d9f8b6c5-x2x4k"; without
// one, its id, whole. It is not safe for a terminal.
func (i *Incident) Named() string {
	switch {
	case i.Called.Name == "":
		return i.Scope.Name
	case i.Scope.Level == Pod:
		return i.Called.Namespace + "/" + i.Called.Name
	}
	return i.Called.Name
}

// called is what people call the container or pod of OwnerScope.
func called(o *conn.Owner) conn.PodName {
	if o.Pod != "" {
		return conn.PodName{Namespace: o.PodNamespace, Name: o.PodName}
	}
	return conn.PodName{Name: o.ContainerName}
}

// OwnerScope is the scope of all that an owner holds: the pod or, without one, the
// container or, without one, the program. Its zero value: not known.
func OwnerScope(o *conn.Owner) Scope {
	switch name := group.Holder(o).String(); {
	case o.Pod != "":
		return Scope{Level: Pod, Name: o.Pod}
	case o.Container != "":
		return Scope{Level: Container, Name: o.Container}
	case name != "":
		return Scope{Level: Process, Name: name}
	}
	return Scope{}
}
