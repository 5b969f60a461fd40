// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"fmt"
	"strings"
)

// Kind says what happened.
type Kind uint8

// The kinds of event. See docs/events.md for what each one means.
const (
	KindProbe       Kind = iota + 1 // the keepalive timer sent a probe, or tried to
	KindAnswer                      // the peer answered
	KindReset                       // the keepalive timer gave the connection up
	KindPeerReset                   // the peer answered a probe with RST
	KindICMP                        // an ICMP error about a connection with probes outstanding
	KindProbed                      // the peer sent a keepalive probe, and we answer
	KindEnabled                     // SO_KEEPALIVE was switched on
	KindWindowProbe                 // a zero-window probe
	KindTimer                       // a firing that sent nothing
	KindClosed                      // a connection that was reported on has closed, not by keepalive
	KindLost                        // records were lost
	KindEnded                       // a connection ended otherwise, with an error that the application reads
	KindSuspended                   // keepalive has no say: data is retransmitted, or the peer's window is closed
	KindResumed                     // that is over
)

var kindNames = names[Kind]{"kind", []string{"", "probe", "answer", "reset", "peer_reset", "icmp", "probed", "enabled",
	"window_probe", "timer", "closed", "lost", "ended", "suspended", "resumed"}}

// String is the name in the stream: "probe".
func (k Kind) String() string { return kindNames.name(k) }

// ParseKind is the inverse of Kind.String.
func ParseKind(s string) (Kind, error) { return kindNames.parse(s) }

// KindNames lists every kind's name.
func KindNames() []string { return kindNames.all() }

// Verdict is what is known about the peer.
type Verdict uint8

// The verdicts. Zero is "not known yet".
const (
	VerdictAlive       Verdict = iota + 1 // the peer answered
	VerdictSilent                         // probes go unanswered
	VerdictTimedOut                       // the kernel gave the connection up
	VerdictForgotten                      // a RST without ACK answered a probe: the peer does not know the connection
	VerdictUnreachable                    // an ICMP error or a local send error says so
	VerdictCongested                      // the probe did not get out of the local queue
	VerdictSuspended                      // data in flight: retransmission is in charge
	VerdictAborted                        // a RST with ACK: the peer knew the connection and reset it
	VerdictReset                          // a RST that does not tell why, or this host's own
)

var verdictNames = names[Verdict]{"verdict", []string{"", "alive", "silent", "timed_out", "forgotten", "unreachable", "congested", "suspended",
	"aborted", "reset"}}

// String is the name in the stream: "timed_out".
func (v Verdict) String() string { return verdictNames.name(v) }

// ParseVerdict is the inverse of Verdict.String.
func ParseVerdict(s string) (Verdict, error) { return verdictNames.parse(s) }

// RST says who sent the RST that ended a connection, as far as the segment and
// the probe before it tell.
type RST uint8

// The kinds of RST.
const (
	// RSTUnknownConnection has no ACK flag: it answers a segment of a connection
	// that its sender does not know (RFC 9293, 3.5.2).
	RSTUnknownConnection RST = iota + 1
	// RSTAbort has the ACK flag: its sender knew the connection.
	RSTAbort
	// RSTThisHost comes from this host: its own firewall refused the probe, or the
	// segment came by lo on a connection that leads elsewhere.
	RSTThisHost
)

var rstNames = names[RST]{"rst", []string{"", "unknown_connection", "abort", "this_host"}}

// String is the name in the stream: "abort".
func (r RST) String() string { return rstNames.name(r) }

// ParseRST is the inverse of RST.String.
func ParseRST(s string) (RST, error) { return rstNames.parse(s) }

// By says who ended a connection that keepalive did not end.
type By uint8

// The ends.
const (
	ByRetransmission By = iota + 1 // data was sent again and again, and never acknowledged
	ByZeroWindow                   // the peer's receive window was closed
	ByPeer                         // a RST in the peer's name, while no keepalive probe was out
	ByThisHost                     // a RST that was made on this host, or somebody on it destroyed the socket (ss -K)
)

var byNames = names[By]{"end", []string{"", "retransmission", "zero_window", "peer", "this_host"}}

// String is the name in the stream: "zero_window".
func (b By) String() string { return byNames.name(b) }

// ParseBy is the inverse of By.String.
func ParseBy(s string) (By, error) { return byNames.parse(s) }

// Waits says what keepalive waits for while it has no say.
type Waits uint8

// What it waits for.
const (
	WaitsForRetransmission Waits = iota + 1 // data was sent again and is not acknowledged
	WaitsForWindow                          // the peer's receive window is closed and probed
)

var waitsNames = names[Waits]{"wait", []string{"", "retransmission", "window_probe"}}

// String is the name in the stream: "window_probe".
func (w Waits) String() string { return waitsNames.name(w) }

// ParseWaits is the inverse of Waits.String.
func ParseWaits(s string) (Waits, error) { return waitsNames.parse(s) }

// HeldBy says who holds the socket where that is not a descriptor of a process.
type HeldBy uint8

// The holders. Zero is a descriptor of the process that the event names, or not known.
const (
	// HeldByAcceptQueue: nobody has accepted the connection. The process listens.
	HeldByAcceptQueue HeldBy = iota + 1
	// HeldByThread: a thread of the process, in a descriptor table of its own.
	HeldByThread
	// HeldByIOUring: the process's io_uring, as a direct descriptor.
	HeldByIOUring
	// HeldByKernel: the kernel itself, which opened the socket (NFS, for example).
	HeldByKernel
)

var heldByNames = names[HeldBy]{"holder", []string{"", "accept_queue", "thread", "io_uring", "kernel"}}

// String is the name in the stream: "accept_queue".
func (h HeldBy) String() string { return heldByNames.name(h) }

// ParseHeldBy is the inverse of HeldBy.String.
func ParseHeldBy(s string) (HeldBy, error) { return heldByNames.parse(s) }

// Reason says why the connection was reset, or why a firing sent nothing.
type Reason uint8

// The reasons: the first two on KindReset and KindEnded, the others on KindTimer, in the
// order in which tcp_keepalive_timer tests for them.
const (
	ReasonCount        Reason = iota + 1 // TCP_KEEPCNT probes are unanswered; on KindEnded: tcp_retries2 is over
	ReasonUserTimeout                    // TCP_USER_TIMEOUT is over
	ReasonSocketBusy                     // a process holds the socket's lock
	ReasonFinWait2                       // the timer serves an orphan in FIN_WAIT2
	ReasonKeepaliveOff                   // SO_KEEPALIVE is off
	ReasonClosed                         // the socket is closed, or not yet connected
	ReasonDataInFlight                   // sent and unacknowledged, or unsent data
	ReasonNotIdle                        // idle for less than TCP_KEEPIDLE
)

var reasonNames = names[Reason]{"reason", []string{"", "count", "user_timeout", "socket_busy", "fin_wait2", "keepalive_off", "closed", "data_in_flight", "not_idle"}}

// String is the name in the stream: "user_timeout".
func (r Reason) String() string { return reasonNames.name(r) }

// ParseReason is the inverse of Reason.String.
func ParseReason(s string) (Reason, error) { return reasonNames.parse(s) }

// Family is the socket's address family, and how it is used.
type Family uint8

// The families.
const (
	IPv4       Family = iota + 1
	IPv6              // AF_INET6
	IPv6Mapped        // an AF_INET6 socket that talks IPv4
)

var familyNames = names[Family]{"family", []string{"", "ipv4", "ipv6", "ipv6-mapped"}}

// String is the name in the stream: "ipv4".
func (f Family) String() string { return familyNames.name(f) }

// ParseFamily is the inverse of Family.String.
func ParseFamily(s string) (Family, error) { return familyNames.parse(s) }

// State is the connection's TCP state, with the kernel's numbers (net/tcp_states.h).
type State uint8

// The states that code here asks for.
const (
	StateEstablished State = 1
	StateSynSent     State = 2
	StateFinWait1    State = 4
	StateFinWait2    State = 5
	StateTimeWait    State = 6
	StateClose       State = 7
	StateCloseWait   State = 8
	StateLastAck     State = 9
)

var stateNames = names[State]{"state", []string{"", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close",
	"close_wait", "last_ack", "listen", "closing", "new_syn_recv", "bound_inactive"}}

// String is the name in the stream: "established".
func (s State) String() string { return stateNames.name(s) }

// ParseState is the inverse of State.String.
func ParseState(s string) (State, error) { return stateNames.parse(s) }

// Name is the setting's key in the stream.
func (s Setting) Name() string {
	switch s {
	case SettingIdle:
		return "idle"
	case SettingInterval:
		return "intvl"
	case SettingCount:
		return "cnt"
	}
	return ""
}

// names maps a small enumeration to its words and back. Zero is "absent" and has no word.
type names[T ~uint8] struct {
	what  string
	words []string
}

func (n names[T]) name(v T) string {
	if int(v) < len(n.words) {
		return n.words[v]
	}
	return ""
}

func (n names[T]) parse(s string) (T, error) {
	for i, w := range n.words {
		if w != "" && w == s {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q (one of: %s)", n.what, s, strings.Join(n.all(), ", "))
}

func (n names[T]) all() []string { return n.words[1:] }
