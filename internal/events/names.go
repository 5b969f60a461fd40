// SPDX-License-Identifier: BSD-2-Clause

package events

import "katrace/internal/enum"

// Kind says what happened.
type Kind uint8

// The kinds of event. See docs/events.md for what each one means.
const (
	KindProbe       Kind = iota + 1 // the keepalive timer sent a probe, or tried to
	KindAnswer                      // the peer answered
	KindReset                       // the keepalive timer gave the connection up
	KindPeerReset                   // the peer answered a probe with RST
	KindEnded                       // a connection ended otherwise, with an error that the application reads
	KindSuspended                   // keepalive has no say: data is retransmitted, or the peer's window is closed
	KindResumed                     // that is over
	KindICMP                        // an ICMP error about a connection with probes outstanding
	KindDropped                     // a segment was dropped on this host while a probe was out
	KindProbed                      // the peer sent a keepalive probe, and we answer
	KindEnabled                     // SO_KEEPALIVE was switched on
	KindWindowProbe                 // a zero-window probe
	KindTimer                       // a firing that sent nothing
	KindClosed                      // a connection that was reported on has closed, not by keepalive
	KindSet                         // katrace set changed a socket's settings: in a log file that it was given
	KindLost                        // records were lost
	KindStart                       // a recording begins
	KindHeartbeat                   // it goes on
	KindStop                        // it ends
	KindSuppressed                  // lines were left out, to bound how many there are
)

var kindNames = enum.Names[Kind]{What: "kind", Words: []string{"", "probe", "answer", "reset", "peer_reset", "ended", "suspended", "resumed", "icmp", "dropped",
	"probed", "enabled", "window_probe", "timer", "closed", "set", "lost", "start", "heartbeat", "stop", "suppressed"}}

// String is the name in the stream: "probe".
func (k Kind) String() string { return kindNames.Name(k) }

// ParseKind is the inverse of Kind.String.
func ParseKind(s string) (Kind, error) { return kindNames.Parse(s) }

// Kinds lists every kind.
func Kinds() (all []Kind) {
	for k := KindProbe; k <= KindSuppressed; k++ {
		all = append(all, k)
	}
	return all
}

// KindNames lists every kind's name.
func KindNames() []string { return kindNames.All() }

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

var verdictNames = enum.Names[Verdict]{What: "verdict", Words: []string{"", "alive", "silent", "timed_out", "forgotten", "unreachable", "congested", "suspended",
	"aborted", "reset"}}

// String is the name in the stream: "timed_out".
func (v Verdict) String() string { return verdictNames.Name(v) }

// ParseVerdict is the inverse of Verdict.String.
func ParseVerdict(s string) (Verdict, error) { return verdictNames.Parse(s) }

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

var rstNames = enum.Names[RST]{What: "rst", Words: []string{"", "unknown_connection", "abort", "this_host"}}

// String is the name in the stream: "abort".
func (r RST) String() string { return rstNames.Name(r) }

// ParseRST is the inverse of RST.String.
func ParseRST(s string) (RST, error) { return rstNames.Parse(s) }

// Direction is which way a segment went.
type Direction uint8

// The directions, as this end of the connection sees them.
const (
	DirectionIn  Direction = iota + 1 // from the peer
	DirectionOut                      // to the peer
)

var directionNames = enum.Names[Direction]{What: "direction", Words: []string{"", "in", "out"}}

// String is the name in the stream: "in".
func (d Direction) String() string { return directionNames.Name(d) }

// ParseDirection is the inverse of Direction.String.
func ParseDirection(s string) (Direction, error) { return directionNames.Parse(s) }

// By says who ended a connection that keepalive did not end.
type By uint8

// The ends.
const (
	ByRetransmission By = iota + 1 // data was sent again and again, and never acknowledged
	ByZeroWindow                   // the peer's receive window was closed
	ByPeer                         // a RST in the peer's name, while no keepalive probe was out
	ByThisHost                     // a RST that was made on this host, or somebody on it destroyed the socket (ss -K)
)

var byNames = enum.Names[By]{What: "end", Words: []string{"", "retransmission", "zero_window", "peer", "this_host"}}

// String is the name in the stream: "zero_window".
func (b By) String() string { return byNames.Name(b) }

// ParseBy is the inverse of By.String.
func ParseBy(s string) (By, error) { return byNames.Parse(s) }

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

var reasonNames = enum.Names[Reason]{What: "reason", Words: []string{"", "count", "user_timeout", "socket_busy", "fin_wait2", "keepalive_off", "closed", "data_in_flight", "not_idle"}}

// String is the name in the stream: "user_timeout".
func (r Reason) String() string { return reasonNames.Name(r) }

// ParseReason is the inverse of Reason.String.
func ParseReason(s string) (Reason, error) { return reasonNames.Parse(s) }
