// SPDX-License-Identifier: BSD-2-Clause

// Package inventory lists every TCP socket with its keepalive settings, where
// each comes from, what its timer waits for, when the next probe is due and
// when the kernel gives up: by a BPF iterator where the kernel lets us load
// one, otherwise by netlink's sock_diag and the holding process's descriptor.
package inventory

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/jiffies"
)

// Socket is one TCP socket.
//
// Its Next is until the firing that finds the connection idle, if the peer is
// silent from now on: it sends a probe, or gives up where DiesIn is the same.
// Unanswered is absent where the kernel's count of probes may have wrapped.
type Socket struct {
	conn.State
	conn.Timer
	conn.Data // HasUnacked: keepalive has no say

	Holders int  // processes that hold it; Process is the oldest
	On      bool // SO_KEEPALIVE; HasOn

	ProbesOut  int           // icsk_probes_out, modulo 256: what is left of it decides the end; HasProbesOut
	SinceHeard int           // of them, those sent since the peer was last heard: only data need not clear the count; HasUnanswered
	Silent     bool          // two or more were sent since then, also where their number is not known
	Seen       time.Duration // when the kernel was asked about it: since List.Time

	id      uint64        // tells sockets apart: by BPF the address in the kernel, by netlink the cookie
	fd      int           // of Process, -1: none
	task    int           // the thread of Process in whose table fd is; the pid: in its own
	expires time.Duration // until the keepalive timer fires; hasTimer
	unsent  bool          // data that is not acknowledged, or not sent: no probe then
	stall   *conn.Stall   // what ends it where keepalive has no say; nil: not known
	derived bool          // On follows from the timer, the socket itself was not asked
}

// The facts of a Socket beside those of its connection.
const (
	HasOn = conn.FirstOwnFact << iota
	HasProbesOut
	hasTimer
)

// NextProbe is when the next probe is due; false: none is, or it is not known.
func (s *Socket) NextProbe() (time.Duration, bool) {
	return s.Next, s.Has&conn.HasNext != 0 && s.Next < s.DiesIn
}

// Late says that an idle connection may stay silent for longer than the
// middlebox remembers it: keepalive is off, or a probe may leave too late.
// False where it is not known.
func (s *Socket) Late(m conn.Middlebox, hz jiffies.HZ) bool {
	switch {
	case !s.Connected() || s.Has&HasOn == 0:
		return false
	case !s.On:
		return true
	case s.Has&conn.HasKeepalive == 0:
		return false
	}
	return m.Judge(s.Silence(), hz) != conn.InTime
}

// Silence is that of its Timer.
func (s *Socket) Silence() time.Duration { return s.Timer.Silence(s.Keepalive, s.SinceHeard > 0) }

// Stalled says that keepalive has no say in the connection, whether it is on or not:
// data is being retransmitted, or the peer's window is closed and probed.
func (s *Socket) Stalled() bool { return s.Has&conn.HasUnacked != 0 }

// Event is the socket as an event about it would show it, Kind left open: a
// row of the live view before the first event. listed is List.Time.
//
// Its verdict is silent or suspended where the socket shows it; alive is only a
// peer that was seen to answer.
func (s *Socket) Event(listed time.Time) events.Event {
	e := events.Event{Time: listed.Add(s.Seen), State: s.State, Timer: s.Timer, Data: s.Data}
	e.Has &= conn.FirstOwnFact - 1
	switch s.WaitsFor {
	case conn.WaitsProbe:
		if s.Silent {
			e.Verdict = events.VerdictSilent
		}
	case conn.WaitsRetransmission, conn.WaitsWindowProbe:
		// Probes out are not keepalive's: it shares icsk_probes_out with zero-window probes.
		e.Unanswered, e.Has = 0, e.Has&^conn.HasUnanswered
		if s.Stalled() {
			e.Verdict = events.VerdictSuspended
		}
	case conn.WaitsFinWait2, conn.WaitsNothing:
	}
	return e
}
