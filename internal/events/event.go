// SPDX-License-Identifier: BSD-2-Clause

// Package events holds what katrace says about a connection: the Event, its
// making from the kernel's records (Decoder), the story of each connection
// (Tracker), filters, and the text and JSON encodings.
package events

import (
	"net/netip"
	"time"

	"katrace/internal/loader"
)

// Event is one thing that happened to one connection's keepalive timer, or,
// for KindLost, to the stream itself. It is what every sink gets and what a
// line of the JSON stream holds.
//
// A fact that is not known is absent: Has tells which of the facts without a
// natural "nothing" value are there. Strings that are empty, a zero
// Process.PID, a zero Inode, a zero Verdict and an invalid address mean absent.
//
// An Event handed to a Sink belongs to the caller and is used again after the
// call; a sink that keeps one copies it (a plain copy is deep enough: strings
// are immutable and there are no slices).
type Event struct {
	Time time.Time // wall clock, UTC, from the kernel's boot clock
	Kind Kind
	Has  Fact

	// The socket.
	Netns  uint32 // inode number of the network namespace (net.ns.inum); 0: absent
	Inode  uint64 // the socket's inode number; 0: an orphan, no file refers to it
	Family Family
	State  State
	Local  netip.AddrPort
	Remote netip.AddrPort

	// Its owner, where that is certain.
	Process   Process
	HeldBy    HeldBy // 0: a descriptor of Process, or not known
	Module    string // on HeldByKernel: the kernel module that uses the socket, "sunrpc"; "" where not known
	UID       uint32 // HasUID
	Cgroup    string
	Container string
	Pod       string // the Kubernetes pod's uid, as the cgroup has it
	CgroupID  uint64 // in cgroup v2, for looking Cgroup up; 0: unknown; not in the stream

	// The timer.
	Keepalive  Settings      // HasKeepalive: the values in force
	Unanswered int           // HasUnanswered: probes sent and not answered, this one included
	Seq        uint32        // HasSeq: the probe's sequence number, SND.UNA-1
	IdleFor    time.Duration // HasIdleFor: since the last segment from the peer
	Next       time.Duration // HasNext: until the timer fires next
	DiesIn     time.Duration // HasDiesIn: until the kernel gives up if the peer stays silent
	SendError  string        // on KindProbe: errno name, or "congested"

	// What came of it.
	RTT      time.Duration // HasRTT, on KindAnswer: probe to answer
	RTTExact bool          // false: RTT is known to a jiffy only
	Reason   Reason        // on KindReset, KindEnded and KindTimer
	Errno    string        // on KindReset, KindPeerReset and KindEnded: what the application will read
	RST      RST           // on KindPeerReset and KindEnded: who sent it; 0: not known
	By       By            // on KindEnded: who did it; 0: not known
	ICMP     ICMP          // on KindICMP
	Verdict  Verdict

	// The data, on KindEnded and KindSuspended.
	WaitsFor    Waits  // on KindSuspended and KindResumed
	Retransmits int    // HasUnacked: of the oldest data that is not acknowledged (icsk_retransmits)
	Unacked     uint32 // HasUnacked: bytes that the peer has not acknowledged, those not sent yet included

	Lost    Lost   // on KindLost: since the last such event
	LeftOut uint64 // on KindLost: events that a filter by owner dropped because their owner was not known
}

// Fact is a set of facts that an Event holds.
type Fact uint16

// The facts whose zero value is a value.
const (
	HasUID Fact = 1 << iota
	HasKeepalive
	HasUnanswered
	HasSeq
	HasIdleFor
	HasNext
	HasDiesIn
	HasRTT
	HasUnacked
	HasDoer // on KindEnabled: Process is the one that did it; not in the stream
)

// Process is the process that holds the socket, looked up by the socket's
// inode: never the task that the timer happened to interrupt.
type Process struct {
	PID  int
	Comm string // as the process named itself: not safe for a terminal
}

// Settings are the keepalive values in force on a socket, whatever their
// source (tcp_sock.keepalive_time and friends, else the namespace's sysctls).
type Settings struct {
	Idle        time.Duration // TCP_KEEPIDLE
	Interval    time.Duration // TCP_KEEPINTVL
	Count       int           // TCP_KEEPCNT
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: not set, Count decides
	Inherited   Setting       // those that the socket did not set itself
	Unsure      Setting       // those of which that is not known; never in an event from the kernel
}

// Setting is a set of keepalive settings.
type Setting uint8

// The settings that a socket inherits from its namespace's sysctls.
const (
	SettingIdle     Setting = 1 << iota // net.ipv4.tcp_keepalive_time
	SettingInterval                     // net.ipv4.tcp_keepalive_intvl
	SettingCount                        // net.ipv4.tcp_keepalive_probes
)

// ICMP is an ICMP or ICMPv6 error about the connection.
type ICMP struct {
	Type, Code uint8
	Text       string     // the type and code in words
	From       netip.Addr // the router or host that said it
}

// Lost counts what did not arrive.
type Lost = loader.Lost

// Skipped counts the runs of programs that the kernel skipped, by what they tell.
type Skipped = loader.Skipped

// Conn identifies a connection for as long as it lives. Its tuple can be used
// again later by another connection, which then has another inode.
type Conn struct {
	Netns         uint32
	Local, Remote netip.AddrPort
}

// Conn is the connection that the event is about.
func (e *Event) Conn() Conn { return Conn{e.Netns, e.Local, e.Remote} }

// Unaccepted says that the connection waits in its listener's accept queue: no
// file refers to it, and one that its process has closed is in another state.
func (e *Event) Unaccepted() bool {
	return e.Inode == 0 && (e.State == StateEstablished || e.State == StateCloseWait)
}

// A Sink takes events in the order of their happening.
type Sink interface {
	// Event takes one event. e is only valid during the call.
	Event(e *Event) error
	// Flush is called when the stream pauses: what is buffered is to be shown now.
	Flush() error
}
