// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"katrace/internal/enum"
	"katrace/internal/events"
)

// Cause is who ended a connection, and of what.
type Cause uint8

// The causes, in the order in which a report lists them where they are equally
// frequent.
const (
	KeepaliveCount       Cause = iota + 1 // TCP_KEEPCNT probes are unanswered
	KeepaliveUserTimeout                  // TCP_USER_TIMEOUT is over, with a probe out
	PeerForgot                            // a RST of one that does not know the connection
	PeerAbort                             // a RST of one that knew it
	PeerReset                             // a RST; which kind is not known
	Retransmission                        // data was never acknowledged
	ZeroWindow                            // the peer's window stayed closed
	ThisHost                              // its firewall, or somebody destroyed the socket
	CauseUnknown
)

var causes = enum.Names[Cause]{What: "cause", Words: []string{
	KeepaliveCount: "keepalive_count", KeepaliveUserTimeout: "keepalive_user_timeout", PeerForgot: "peer_forgot", PeerAbort: "peer_abort",
	PeerReset: "peer_reset", Retransmission: "retransmission", ZeroWindow: "zero_window", ThisHost: "this_host", CauseUnknown: "unknown",
}}

// String is the name in the JSON: "peer_forgot".
func (c Cause) String() string { return causes.Name(c) }

// MarshalText is String, for JSON.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

var causeWords = [...]struct{ short, long string }{
	KeepaliveCount:       {"keepalive: no probe was answered", "The peer was silent, and the kernel gave up after TCP_KEEPCNT probes. The peer is down, or the path drops packets."},
	KeepaliveUserTimeout: {"keepalive: TCP_USER_TIMEOUT was over", "The peer was silent for longer than TCP_USER_TIMEOUT; TCP_KEEPCNT played no part."},
	PeerForgot:           {"RST: the sender does not know the connection", "The peer restarted or failed over, it gave up first, or a NAT gateway or firewall forgot the connection."},
	PeerAbort:            {"RST: the peer knew the connection", "The peer's application aborted the connection, or closed it with unread data."},
	PeerReset:            {"RST: of which kind is not known", "The backend did not see the segment: the peer aborted, does not know the connection, or a firewall made the RST."},
	Retransmission:       {"data was never acknowledged", "Data was on the way, so retransmission decided and not keepalive. The peer is down, or the path drops packets."},
	ZeroWindow:           {"the peer's receive window stayed closed", "The peer's application did not read: is it stuck, or stopped?"},
	ThisHost:             {"this host ended it", "Its own firewall or a proxy on it made the RST, or somebody destroyed the socket (ss -K)."},
	CauseUnknown:         {"ended with an error, by whom is not known", "katrace did not see who ended the connection."},
}

// Words is the cause in some words.
func (c Cause) Words() string { return causeWords[min(int(c), len(causeWords)-1)].short }

// Meaning is what the cause means, in a sentence or two.
func (c Cause) Meaning() string { return causeWords[min(int(c), len(causeWords)-1)].long }

// CauseOf is the cause of an event that ends a connection.
func CauseOf(e *events.Event) Cause {
	switch {
	case e.RST == events.RSTThisHost || e.Kind == events.KindEnded && e.By == events.ByThisHost:
		return ThisHost
	case e.Kind == events.KindReset && e.Reason == events.ReasonUserTimeout:
		return KeepaliveUserTimeout
	case e.Kind == events.KindReset:
		return KeepaliveCount
	case e.By == events.ByRetransmission:
		return Retransmission
	case e.By == events.ByZeroWindow:
		return ZeroWindow
	case e.RST == events.RSTUnknownConnection:
		return PeerForgot
	case e.RST == events.RSTAbort:
		return PeerAbort
	case e.Kind == events.KindPeerReset || e.By == events.ByPeer:
		return PeerReset
	}
	return CauseUnknown
}

// silent says that the connection died of its peer's silence.
func (c Cause) silent() bool {
	return c == KeepaliveCount || c == KeepaliveUserTimeout || c == Retransmission
}
