// SPDX-License-Identifier: BSD-2-Clause

package group

import (
	"cmp"
	"maps"
	"strconv"

	"katrace/internal/conn"
)

// Port is the port of a service.
type Port struct {
	Number uint16 // 0: not known
	Here   bool   // this host's side has it: the peers are its clients
}

// Side is whose it is: "local" for this host's, "remote" for the peer's.
func (p Port) Side() string {
	if p.Here {
		return "local"
	}
	return "remote"
}

// AppendTo appends side and number: "local:5432".
func (p Port) AppendTo(dst []byte) []byte {
	return strconv.AppendUint(append(append(dst, p.Side()...), ':'), uint64(p.Number), 10)
}

// Compare orders by number, the peer's side first.
func (p Port) Compare(other Port) int {
	switch c := cmp.Compare(p.Number, other.Number); {
	case c != 0 || p.Here == other.Here:
		return c
	case p.Here:
		return 1
	}
	return -1
}

// Ports finds out which of a connection's two ports is the service's: that of
// the side that listens or, where no listener is known, the one that repeats.
// It holds some bytes for each different port that was ever seen.
type Ports struct {
	// AllListeners says that every listening socket of the connections' network
	// namespaces was added: where none has a connection's port, the peer listens.
	AllListeners bool

	listening map[listener]struct{}
	local     map[uint16]int // how many connections have this port on this side
	remote    map[uint16]int
}

type listener struct {
	netns uint32
	port  uint16
}

// NewPorts knows of no connection yet.
func NewPorts() *Ports {
	return &Ports{listening: map[listener]struct{}{}, local: map[uint16]int{}, remote: map[uint16]int{}}
}

// Copy knows what p knows, and is another one from then on.
func (p *Ports) Copy() *Ports {
	c := *p
	c.listening, c.local, c.remote = maps.Clone(p.listening), maps.Clone(p.local), maps.Clone(p.remote)
	return &c
}

// Add takes a connection, or a listening socket, into account. Each is added
// once.
func (p *Ports) Add(s *conn.State) {
	if s.TCPState == conn.TCPListen {
		p.listening[listener{s.Netns, s.Local.Port()}] = struct{}{}
		return
	}
	p.local[s.Local.Port()]++
	p.remote[s.Remote.Port()]++
}

// Remove is for a connection that was added and is gone.
func (p *Ports) Remove(s *conn.State) {
	less(p.local, s.Local.Port())
	less(p.remote, s.Remote.Port())
}

func less(count map[uint16]int, port uint16) {
	if count[port] > 1 {
		count[port]--
		return
	}
	delete(count, port)
}

// drained is how much more often than the peer's a port of this host repeats if
// whoever listened on it has stopped. Ports of this host's clients repeat, too:
// 218,000 connections have the 28,232 ports of ip_local_port_range's default.
const drained = 16

// Service is the service's port of a connection; a socket without a peer has its
// own. Of two ports of which nothing is known, and which repeat equally often, it
// is the lower one: clients get theirs from net.ipv4.ip_local_port_range, which
// lies above most services.
func (p *Ports) Service(s *conn.State) Port {
	here, there := Port{s.Local.Port(), true}, Port{s.Remote.Port(), false}
	if _, ok := p.listening[listener{s.Netns, here.Number}]; ok || there.Number == 0 {
		return here
	}
	switch l, r := p.local[here.Number], p.remote[there.Number]; {
	case p.AllListeners && l < drained*r:
		return there
	case l > r:
		return here
	case l < r:
		return there
	}
	if here.Number < there.Number {
		return here
	}
	return there
}
