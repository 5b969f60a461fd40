// SPDX-License-Identifier: BSD-2-Clause

// Package inventory lists every TCP socket with its keepalive settings, where
// each comes from, what its timer waits for, when the next probe is due and
// when the kernel gives up: by a BPF iterator where the kernel lets us load
// one, otherwise by netlink's sock_diag and the holding process's descriptor.
package inventory

import (
	"net/netip"
	"slices"
	"time"

	"katrace/internal/events"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
)

// Socket is one TCP socket. As in events.Event a fact that is not known is
// absent: Has tells for those without a natural "nothing" value.
type Socket struct {
	Netns  uint32
	Inode  uint64 // 0: no file refers to it
	Family events.Family
	State  events.State
	Local  netip.AddrPort
	Remote netip.AddrPort

	Process   events.Process
	HeldBy    events.HeldBy // as in events.Event
	Module    string        // as in events.Event
	Holders   int           // processes that hold it; Process is the oldest
	UID       uint32
	Cgroup    string
	Container string
	Pod       string // as in events.Event

	On       bool            // SO_KEEPALIVE; HasOn
	Settings events.Settings // the values in force; HasSettings. Inherited holds those that are certainly the sysctl's
	Own      events.Setting  // those that are certainly the socket's own
	WaitsFor Waiting

	ProbesOut  int           // icsk_probes_out, modulo 256: what is left of it decides the end; HasProbesOut
	Unanswered int           // the same, where it cannot have wrapped; HasUnanswered
	SinceHeard int           // of them, those sent since the peer was last heard: only data need not clear the count; HasUnanswered
	Silent     bool          // two or more were sent since then, also where their number is not known
	IdleFor    time.Duration // since the last segment from the peer; HasIdleFor
	NextProbe  time.Duration // HasNextProbe
	// ArmedBeforeChange: the keepalive timer runs longer than the settings in
	// force would set it. False where it is not known.
	ArmedBeforeChange bool
	DiesIn            time.Duration // if the peer is silent from now on; HasDiesIn
	Seen              time.Duration // when the kernel was asked about it: since List.Time

	Has Fact

	id      uint64        // tells sockets apart: by BPF the address in the kernel, by netlink the cookie
	fd      int           // of Process, -1: none
	task    int           // the thread of Process in whose table fd is; the pid: in its own
	timer   time.Duration // until the keepalive timer fires; hasTimer
	unsent  bool          // data that is not acknowledged, or not sent: no probe then
	cgroup  cgroupID      // the socket's own, 0: not known
	derived bool          // On follows from the timer, the socket itself was not asked
}

// Fact is a set of facts that a Socket holds.
type Fact uint16

// The facts whose zero value is a value.
const (
	HasUID Fact = 1 << iota
	HasOn
	HasSettings
	HasProbesOut
	HasUnanswered
	HasIdleFor
	HasNextProbe
	HasDiesIn
	hasTimer
)

// AllSettings are the settings that a sysctl stands behind.
const AllSettings = events.SettingIdle | events.SettingInterval | events.SettingCount

// SourcesKnown says whether the source of each setting is known.
func (s *Socket) SourcesKnown() bool {
	return s.Has&HasSettings != 0 && s.Own|s.Settings.Inherited == AllSettings
}

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

var waitingNames = [...]string{"", "probe", "retransmission", "window_probe", "fin_wait2", "nothing"}

// String is the name in the JSON: "window_probe".
func (w Waiting) String() string {
	if int(w) < len(waitingNames) {
		return waitingNames[w]
	}
	return ""
}

// The TCP states that matter here (net/tcp_states.h) beside those of package events.
const (
	stateSynSent    events.State = 2
	stateSynRecv    events.State = 3
	stateTimeWait   events.State = 6
	stateListen     events.State = 10
	stateNewSynRecv events.State = 12
	stateBound      events.State = 13
)

// Connected says that the socket has a connection that can be idle: it was
// established, is not yet closed, and is no orphan that waits for the peer's FIN.
func (s *Socket) Connected() bool {
	if s.WaitsFor == WaitsFinWait2 {
		return false
	}
	switch s.State {
	case stateSynSent, stateSynRecv, stateTimeWait, events.StateClose, stateListen, stateNewSynRecv, stateBound, 0:
		return false
	}
	return true
}

// Late says that an idle connection may stay silent for longer than the
// middlebox remembers it: keepalive is off, or a probe may leave too late.
// False where it is not known.
func (s *Socket) Late(m events.Middlebox, hz jiffies.HZ) bool {
	switch {
	case !s.Connected() || s.Has&HasOn == 0:
		return false
	case !s.On:
		return true
	case s.Has&HasSettings == 0:
		return false
	}
	return m.Judge(s.Silence(), hz) != events.InTime
}

// Match says whether the filter wants the socket.
func (s *Socket) Match(f *loader.Filter) bool {
	e := events.Event{Kind: events.KindProbe, Netns: s.Netns, Family: s.Family, Local: s.Local, Remote: s.Remote}
	return (&events.Filter{Socket: *f}).Match(&e)
}

// retransmitted is how long after the peer's last segment data in flight must
// have been sent again: the retransmission timer begins at a second (RFC 6298
// 2.1). Data that is in flight for less is how a connection works.
const retransmitted = time.Second

// Event is the socket as an event about it would show it, Kind left open: a
// row of the live view before the first event. listed is List.Time.
//
// Its verdict is silent or suspended where the socket shows it; alive is only a
// peer that was seen to answer.
func (s *Socket) Event(listed time.Time) events.Event {
	e := events.Event{
		Time: listed.Add(s.Seen), Netns: s.Netns, Inode: s.Inode, Family: s.Family, State: s.State, Local: s.Local, Remote: s.Remote,
		Process: s.Process, HeldBy: s.HeldBy, Module: s.Module, UID: s.UID, Cgroup: s.Cgroup, Container: s.Container, Pod: s.Pod,
		Keepalive: s.Settings, Unanswered: s.Unanswered, IdleFor: s.IdleFor, Next: s.NextProbe, DiesIn: s.DiesIn,
	}
	for _, f := range [...]struct {
		have Fact
		is   events.Fact
	}{
		{HasUID, events.HasUID}, {HasSettings, events.HasKeepalive}, {HasUnanswered, events.HasUnanswered},
		{HasIdleFor, events.HasIdleFor}, {HasNextProbe, events.HasNext}, {HasDiesIn, events.HasDiesIn},
	} {
		if s.Has&f.have != 0 {
			e.Has |= f.is
		}
	}
	if e.Has&events.HasKeepalive != 0 {
		e.Keepalive.Unsure = AllSettings &^ (s.Own | s.Settings.Inherited)
	}
	if e.Has&(events.HasNext|events.HasDiesIn) == events.HasDiesIn {
		e.Next, e.Has = e.DiesIn, e.Has|events.HasNext // the next firing gives up
	}
	switch s.WaitsFor {
	case WaitsProbe:
		if s.Silent {
			e.Verdict = events.VerdictSilent
		}
	case WaitsRetransmission, WaitsWindowProbe:
		// Probes out are not keepalive's: it shares icsk_probes_out with zero-window probes.
		e.Unanswered, e.Has = 0, e.Has&^events.HasUnanswered
		if s.WaitsFor == WaitsWindowProbe || s.Has&HasIdleFor == 0 || s.IdleFor >= retransmitted {
			e.Verdict, e.WaitsFor = events.VerdictSuspended, events.WaitsForRetransmission
			if s.WaitsFor == WaitsWindowProbe {
				e.WaitsFor = events.WaitsForWindow
			}
		}
	}
	return e
}

// States lists the names of the states for --state.
func States() []string {
	var names []string
	for s := events.State(1); s.String() != ""; s++ {
		names = append(names, s.String())
	}
	return slices.Clip(names)
}
