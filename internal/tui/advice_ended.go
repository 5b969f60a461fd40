// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// whoever says what a RST's address is worth.
const whoever = "A RST bears the peer's address whoever sent it: a middlebox may have made it. The peer's own log, or a capture on its side, shows which."

// adviseEnded says what ended a connection that keepalive did not end.
func adviseEnded(a []string, f *facts) []string {
	bytes := count(f.unacked, "byte")
	switch f.by {
	case events.ByRetransmission:
		a = append(a, fmt.Sprintf("Data was on the way (%s), so keepalive had no say: sent again %s, it was never acknowledged.%s%s", bytes, times(f.retransmits), overBy(f), reader(f)))
		if f.drop == nil && f.verdict != events.VerdictUnreachable {
			a = append(a, "The peer is down, or the path drops packets in one of the directions: from here both look the same.")
		}
		return append(a, "TCP_USER_TIMEOUT sets how long it takes to find such a peer.")
	case events.ByZeroWindow:
		return append(a, fmt.Sprintf("The peer's receive window was closed: its application did not read, and %s waited here.%s%s", bytes, overBy(f), reader(f)),
			"Look at the peer's application: is it stuck, or stopped? Keepalive has no say while data waits; without TCP_USER_TIMEOUT such a connection lives for as long as the peer answers window probes.")
	case events.ByPeer:
		switch f.rst {
		case events.RSTUnknownConnection:
			return append(a, "A RST came while no probe was out, and its sender does not know this connection (no ACK flag): a NAT gateway or firewall at its idle limit, or a peer that restarted and answers data."+reader(f), whoever)
		case events.RSTAbort:
			return append(a, "The peer reset the connection while no probe was out, and knew it (RST with ACK): its application aborted it, or closed it with unread data."+reader(f), whoever)
		default:
			return append(a, "A RST came while no probe was out: of the peer, of a NAT gateway or firewall at its idle limit, or of this host's own firewall. This backend cannot see which."+reader(f), whoever)
		}
	case events.ByThisHost:
		if f.rst == 0 {
			return append(a, "Somebody on this host destroyed the socket, as ss -K or a BPF program does; the peer had no part in it."+reader(f))
		}
		return append(a, "The RST was made on this host, in the peer's name: its own firewall rejected a segment, or a proxy on this host, to which the connection is redirected, reset it. Look at the rules: nft list ruleset, iptables -S."+reader(f))
	}
	return append(a, "The connection ended with an error; by whom is not known."+reader(f))
}

// adviseSuspended says what keepalive waits for: data, or the peer's window.
func adviseSuspended(a []string, f *facts, now int64) []string {
	if f.WaitsFor == conn.WaitsWindowProbe {
		s := "The peer's receive window is closed: its application does not read. No keepalive probe is sent while data waits here; window probes are. "
		if f.dies != 0 || !f.endless() {
			s += "TCP_USER_TIMEOUT" + after(f.Keepalive.UserTimeout) + " then ends it." + givesUp(f, now)
		} else {
			s += "A peer that answers them is never given up; one that does not is after net.ipv4.tcp_retries2 of them (15: about 15 minutes)."
		}
		return append(a, s, withCommand(f.byUserTimeout("Look at the peer's application: is it stuck, or stopped? To end such a connection, set TCP_USER_TIMEOUT on the socket")))
	}
	data := "Data in flight"
	if f.Has&conn.HasUnacked != 0 {
		data = fmt.Sprintf("Data in flight (%s, sent again %s)", count(f.unacked, "byte"), times(f.retransmits))
	}
	return append(a, data+": retransmission decides, not keepalive. No probe is sent while sent data is unacknowledged or data is unsent; net.ipv4.tcp_retries2 (15: about 15 minutes) or TCP_USER_TIMEOUT then ends it."+givesUp(f, now),
		withCommand(f.byUserTimeout("To find a dead peer sooner while data is in flight, set TCP_USER_TIMEOUT on the socket")))
}

// overBy says which limit was over.
func overBy(f *facts) string {
	switch f.reason {
	case events.ReasonUserTimeout:
		return " TCP_USER_TIMEOUT" + after(f.Keepalive.UserTimeout) + " was over."
	case events.ReasonCount:
		return " net.ipv4.tcp_retries2 was over."
	default:
		return ""
	}
}

func times(n uint8) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
