// SPDX-License-Identifier: BSD-2-Clause

// Package events holds what katrace says about a connection: the Event, its
// making from the kernel's records (Decoder), the story of each connection
// (Tracker), filters, and the text and JSON encodings.
package events

import (
	"net/netip"
	"time"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// Event is one thing that happened to one connection's keepalive timer, or,
// for those of Kind.OfTracing, to the tracing itself. It is what every sink gets and what a
// line of the JSON stream holds.
//
// A fact that is not known is absent: Has tells which of the facts without a
// natural "nothing" value are there. Empty strings, zero enumerations and invalid
// addresses mean absent.
//
// An Event handed to a Sink belongs to the caller and is used again after the
// call; a sink that keeps one copies it (a plain copy is deep enough: strings
// are immutable and there are no slices).
type Event struct {
	Time time.Time // wall clock, UTC, from the kernel's boot clock
	Kind Kind

	conn.State // Unanswered counts this event's probe
	conn.Timer // Next is until the timer fires, whatever it then does
	conn.Data  // on KindEnded and KindSuspended

	Seq       uint32 // HasSeq: the probe's sequence number, SND.UNA-1
	SendError string // on KindProbe: errno name, or "congested"

	// What came of it.
	RTT      time.Duration // HasRTT, on KindAnswer: probe to answer
	RTTExact bool          // false: RTT is known to a jiffy only
	Reason   Reason        // on KindReset, KindEnded and KindTimer
	Errno    string        // on KindReset, KindPeerReset and KindEnded: what the application will read
	RST      RST           // on KindPeerReset and KindEnded: who sent it; 0: not known
	By       By            // on KindEnded: who did it; 0: not known
	ICMP     ICMP          // on KindICMP
	Drop     Drop          // on KindDropped
	Verdict  Verdict
	Change   Change // what is different from here on; 0: nothing

	// On KindAnswer, after two or more unanswered probes: a recovery.
	AfterProbes int           // 0: none, or not known
	SilentFor   time.Duration // from the peer's segment before to the answer

	Lost    Lost   // on KindLost: since the last such event
	LeftOut uint64 // on KindLost: events that a filter by owner dropped because their owner was not known

	Set        *Set        // on KindSet; never changed
	Tracing    *Tracing    // on KindStart, KindHeartbeat and KindStop; never changed
	Suppressed *Suppressed // on KindSuppressed; never changed
}

// The facts of an Event beside those of its connection.
const (
	HasSeq = conn.FirstOwnFact << iota
	HasRTT
	HasDoer // on KindEnabled: Process is the one that did it; not in the stream
)

// ICMP is an ICMP or ICMPv6 error about the connection.
type ICMP struct {
	Type, Code uint8
	Text       string     // the type and code in words
	From       netip.Addr // the router or host that said it
}

// Drop is why and where this host dropped a segment.
type Drop struct {
	Direction Direction
	Reason    string // the kernel's word (enum skb_drop_reason), "NETFILTER_DROP"; "": it has none (before 5.17)
	Text      string // in our words; "" where there are none for it
	Where     string // the kernel function; "": not known
}

// Lost counts what did not arrive.
type Lost = loader.Lost

// Skipped counts the runs of programs that the kernel skipped, by what they tell.
type Skipped = loader.Skipped

// A Sink takes events in the order of their happening.
type Sink interface {
	// Event takes one event. e is only valid during the call.
	Event(e *Event) error
	// Flush is called when the stream pauses: what is buffered is to be shown now.
	Flush() error
}
