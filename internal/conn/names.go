// SPDX-License-Identifier: BSD-2-Clause

package conn

import "katrace/internal/enum"

// Family is the socket's address family, and how it is used.
type Family uint8

// The families.
const (
	IPv4       Family = iota + 1
	IPv6              // AF_INET6
	IPv6Mapped        // an AF_INET6 socket that talks IPv4
)

var familyNames = enum.Names[Family]{What: "family", Words: []string{"", "ipv4", "ipv6", "ipv6-mapped"}}

// String is the name in the JSON: "ipv4".
func (f Family) String() string { return familyNames.Name(f) }

// ParseFamily is the inverse of Family.String.
func ParseFamily(s string) (Family, error) { return familyNames.Parse(s) }

// TCPState is the connection's TCP state, with the kernel's numbers (net/tcp_states.h).
type TCPState uint8

// The TCP states.
const (
	TCPEstablished TCPState = iota + 1
	TCPSynSent
	TCPSynRecv
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPClose
	TCPCloseWait
	TCPLastAck
	TCPListen
	TCPClosing
	TCPNewSynRecv
	TCPBoundInactive
)

var tcpStateNames = enum.Names[TCPState]{What: "state", Words: []string{"", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2",
	"time_wait", "close", "close_wait", "last_ack", "listen", "closing", "new_syn_recv", "bound_inactive"}}

// String is the name in the JSON: "established".
func (s TCPState) String() string { return tcpStateNames.Name(s) }

// ParseTCPState is the inverse of TCPState.String.
func ParseTCPState(s string) (TCPState, error) { return tcpStateNames.Parse(s) }

// TCPStates lists the states' names.
func TCPStates() []string { return tcpStateNames.All() }

// HeldBy says who holds the socket where that is not a descriptor of a process.
type HeldBy uint8

// The holders. Zero is a descriptor of the process that is named, or not known.
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

var heldByNames = enum.Names[HeldBy]{What: "holder", Words: []string{"", "accept_queue", "thread", "io_uring", "kernel"}}

// String is the name in the JSON: "accept_queue".
func (h HeldBy) String() string { return heldByNames.Name(h) }

// ParseHeldBy is the inverse of HeldBy.String.
func ParseHeldBy(s string) (HeldBy, error) { return heldByNames.Parse(s) }

// Waiting is what a socket's timer waits for.
type Waiting uint8

// The values of Waiting. Zero is "not known".
const (
	WaitsProbe          Waiting = iota + 1 // the keepalive timer runs
	WaitsRetransmission                    // an unacknowledged segment: keepalive has to wait
	WaitsWindowProbe                       // the peer's window is closed: keepalive has to wait
	WaitsFinWait2                          // an orphan waits for the peer's FIN, for a time: no probe is sent
	WaitsNothing
)

var waitingNames = enum.Names[Waiting]{What: "wait", Words: []string{"", "probe", "retransmission", "window_probe", "fin_wait2", "nothing"}}

// String is the name in the JSON: "window_probe".
func (w Waiting) String() string { return waitingNames.Name(w) }

// ParseWaiting is the inverse of Waiting.String.
func ParseWaiting(s string) (Waiting, error) { return waitingNames.Parse(s) }

// Setting is a set of keepalive settings.
type Setting uint8

// The settings that a socket inherits from its namespace's sysctls where it has
// not set its own.
const (
	SettingIdle     Setting = 1 << iota // net.ipv4.tcp_keepalive_time
	SettingInterval                     // net.ipv4.tcp_keepalive_intvl
	SettingCount                        // net.ipv4.tcp_keepalive_probes

	AllSettings = SettingIdle | SettingInterval | SettingCount
)

// Name is the key in the JSON of a single setting: "intvl".
func (s Setting) Name() string {
	switch s {
	case SettingIdle:
		return "idle"
	case SettingInterval:
		return "intvl"
	case SettingCount:
		return "cnt"
	case AllSettings:
	}
	return ""
}
