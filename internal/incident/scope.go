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

// Named is what people call a scope that has a name: "shop/cart-7d9f8b6c5-x2x4k";
// without one, its id, whole. It is not safe for a terminal.
func (s *Scope) Named() string {
	switch {
	case s.Called == "":
		return s.Name
	case s.Level == Pod:
		return s.Namespace + "/" + s.Called
	}
	return s.Called
}

// OwnerScope is the scope of all that an owner holds: the pod or, without one, the
// container or, without one, the program. Its zero value: not known.
func OwnerScope(o *conn.Owner) Scope {
	switch name := group.Holder(o); {
	case o.Pod != "":
		return Scope{Level: Pod, Name: o.Pod, Namespace: o.PodNamespace, Called: o.PodName}
	case o.Container != "":
		return Scope{Level: Container, Name: o.Container, Called: o.ContainerName}
	case name != "":
		return Scope{Level: Process, Name: name}
	}
	return Scope{}
}
