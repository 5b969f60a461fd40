// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"katrace/internal/conn"
	"katrace/internal/loader"
)

// ended tells who ended a connection that keepalive did not end, of what, and
// what that says about the peer.
func (t *Tracker) ended(r *loader.Record, s *story, e *Event) {
	e.By, e.RST, e.Reason = By(r.By), RST(r.Rst), Reason(r.Reason)
	e.Errno = readErrno(r.Ret)
	e.Retransmits, e.Unacked = int(r.Retransmits), r.Unacked
	e.Has |= conn.HasUnacked
	switch e.By {
	case ByRetransmission, ByZeroWindow:
		e.Verdict = s.givenUp(e.Errno)
	case ByPeer:
		e.Verdict = verdictOf(e.RST)
	case ByThisHost:
		if e.RST != 0 { // else the socket was destroyed
			e.RST, e.Verdict = RSTThisHost, VerdictReset
		}
	}
}

var endedWords = [...]string{
	0:                "ended with an error, by whom is not known",
	ByRetransmission: "ended by retransmission",
	ByZeroWindow:     "ended with the peer's receive window closed",
	ByPeer:           "RST with no probe out, in the peer's name; who sent it is not known",
	ByThisHost:       "destroyed on this host (ss -K, for example)",
}

func appendEndedWords(dst []byte, e *Event) []byte {
	words := endedWords[min(int(e.By), len(endedWords)-1)]
	switch e.RST {
	case RSTUnknownConnection:
		words = "RST with no probe out: its sender does not know the connection (no ACK flag)"
	case RSTAbort:
		words = "peer reset the connection with no probe out: it knew the connection (RST with ACK)"
	case RSTThisHost:
		words = "RST with no probe out, made on this host: its firewall, or a proxy on it"
	}
	dst = append(dst, words...)
	if e.Has&conn.HasUnacked != 0 {
		if e.Retransmits > 0 {
			dst = conn.AppendCount(append(dst, ", "...), uint64(e.Retransmits), "retransmit")
		}
		if e.Unacked > 0 || e.Retransmits > 0 {
			dst = append(conn.AppendCount(append(dst, ", "...), uint64(e.Unacked), "byte"), " unacknowledged"...)
		}
	}
	switch e.Reason {
	case ReasonUserTimeout:
		dst = conn.AppendSetting(append(dst, ": TCP_USER_TIMEOUT "...), e.Keepalive.UserTimeout)
	case ReasonCount:
		dst = append(dst, ": tcp_retries2"...)
	default: // by neither
	}
	return appendReads(dst, e)
}
