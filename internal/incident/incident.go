// SPDX-License-Identifier: BSD-2-Clause

// Package incident finds out when many connections fail together, because of one
// thing: a host that died, a link that flapped, a process that reads no more.
// It holds no model of a connection: it remembers those that fail, and asks for
// the others where it needs their number.
//
// # How it is used
//
// In one pass over events in the order of their time. The caller keeps a
// *Failure beside what it knows of each connection, nil at first:
//
//	w := incident.New()
//	for each event e {
//		c.failure = w.Event(c.failure, e, c.known) // c.known: when the connection became known
//		if w.Due(e.Time) {
//			w.Look(e.Time, well) // well: the connections that are there and whose failure is nil
//		}
//		… on a closed connection, and where another one has its tuple: w.Forget(c.failure, e.Time)
//	}
//	w.Look(end, well)
//	for _, i := range w.All() { fmt.Println(i.Sentence(end)) }
//
// Of a connection that has ended with an error nothing is to be called any more:
// its record may go. Memory is bounded: some 300 bytes for each connection that
// fails while its incident is not found, 100 after that, none for the others, and
// a bounded number of ended ones and of incidents.
//
// # What an incident is
//
// Connections fail together if one moment explains all of them: each was last heard
// before it, and did not answer after it. With an idle time of a minute that
// moment is known to a minute from one connection, and better from many. An
// incident is at least Least connections of one service, peer or owner, or twice as
// many of all, that one moment explains, and more than half of those that are known.
// Where three of them have their moment in common they are one.
//
// Resets are another matter, for they come from a peer that is there. They are
// together if they are within a few seconds, and if the connections are not made
// anew: a restart in an orderly way, host by host, is no incident.
package incident

import (
	"net/netip"
	"time"

	"katrace/internal/enum"
)

// Kind is what happens to the connections of an incident.
type Kind uint8

// The kinds.
const (
	Silence       Kind = iota + 1 // the peers are not heard: probes or data unanswered
	ClosedWindows                 // the peers answer, but take no data
	Resets                        // RST, or destroyed
)

var kinds = enum.Names[Kind]{What: "kind of incident", Words: []string{"", "silence", "closed_windows", "resets"}}

// String is the kind's word: "closed_windows".
func (k Kind) String() string { return kinds.Name(k) }

// ParseKind is the inverse of Kind.String.
func ParseKind(s string) (Kind, error) { return kinds.Parse(s) }

// Incident is many connections that failed together.
type Incident struct {
	Kind  Kind
	Scope Scope // what they have in common
	Peers int   // how many addresses they lead to

	Affected int // connections that failed
	Of       int // of how many that were known then in the scope

	// Of those affected:
	Silent    int // still fail
	Recovered int // are well again
	Ended     int // ended with an error
	Closed    int // were closed, without an error

	// Since is the earliest "last heard" of them; of Resets the first, and of
	// ClosedWindows when the first was seen.
	Since time.Time
	// Heard is the latest "last heard" of them, after which it happened; of Resets the
	// last, and of ClosedWindows when the last was seen.
	Heard time.Time
	// Listed says that Of are all that there are, as listings show them; else those
	// that something was told of.
	Listed bool
	// Until is when the last of them recovered or ended; zero: it goes on.
	Until time.Time
}

// Lasts says whether connections of the incident still fail.
func (i *Incident) Lasts() bool { return i.Until.IsZero() }

// Scope is what the connections of an incident, and no others, have in common.
type Scope struct {
	Level Level
	Addr  netip.AddrPort // of Service; of Peer without a port
	Name  string         // of Process; the id of Container and Pod; not safe for a terminal
	// What people call the container, or the pod, which has a namespace, too: "" where
	// that is not known.
	Namespace, Called string
	kind              Kind // of the incidents that it is looked at for
}

// Level is how far a scope reaches.
type Level uint8

// The levels, from the narrowest on.
const (
	Service Level = iota + 1 // the peer's address and port
	Peer                     // the peer's address
	Process                  // the name of the program that holds the sockets
	Container
	Pod
	Many // several of the above, at the same time
	All  // all connections
)

var levels = enum.Names[Level]{What: "scope", Words: []string{"", "service", "peer", "process", "container", "pod", "many", "all"}}

// String is the level's word: "peer".
func (l Level) String() string { return levels.Name(l) }

// ParseLevel is the inverse of Level.String.
func ParseLevel(s string) (Level, error) { return levels.Parse(s) }
