// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"time"
)

// Capture is what a packet capture on the traced socket's interface showed of
// the connection. Times are wall clock, given by the kernel to each packet.
type Capture struct {
	Probes       []Probe    // keepalive probes sent by the traced socket
	WindowProbes []Segment  // the same segments, sent while the peer's window was closed
	Data         int        // segments with data, SYN or FIN sent for the first time
	Retransmits  int        // the same, sent again
	ResetsOut    int        // RST sent by the traced socket
	ResetsIn     int        // RST sent by the peer, or by the peer's host
	Reset        time.Time  // when the first RST was seen, either way; zero: none
	ICMP         []ICMPSeen // ICMP errors about the connection
	Dropped      uint64     // packets that the capture lost
}

// Segment is a captured TCP segment.
type Segment struct {
	Time     time.Time
	Seq, Ack uint32
}

// Probe is a captured keepalive probe, and what the peer said to it.
type Probe struct {
	Segment
	Heard  time.Time // the last segment from the peer before the probe
	Answer time.Time // the peer's answer; zero: none
	Reset  bool      // the answer was RST
}

// Answered says that the peer acknowledged the probe.
func (p Probe) Answered() bool { return !p.Answer.IsZero() && !p.Reset }

// ICMPSeen is a captured ICMP error.
type ICMPSeen struct {
	Time       time.Time
	Type, Code uint8
	From       netip.Addr
}

// Answers counts the probes that the peer acknowledged.
func (c *Capture) Answers() (n int) {
	for _, p := range c.Probes {
		if p.Answered() {
			n++
		}
	}
	return n
}

// wire follows one connection through captured packets.
//
// A keepalive probe is known by its sequence number alone: empty, neither SYN
// nor FIN nor RST, one before the next one to send (tcp_xmit_probe_skb). A
// zero-window probe looks the same; it is one if the peer's last segment closed
// the window. (A connection with an empty send queue and a closed window sends
// keepalive probes too; the lab stages none.)
type wire struct {
	Capture
	local, remote netip.AddrPort

	next       uint32 // the highest sequence number sent, plus one
	begun      bool   // next is known
	heard      time.Time
	peerWindow uint16
}

// sent takes a packet that left by the interface.
func (w *wire) sent(at time.Time, p packet) {
	if p.icmp || p.src != w.local || p.dst != w.remote {
		return
	}
	length := uint32(p.payload)
	for _, flag := range []uint8{flagSYN, flagFIN} {
		if p.flags&flag != 0 {
			length++
		}
	}
	switch {
	case p.flags&flagRST != 0:
		w.ResetsOut++
		w.noteReset(at)
	case length > 0:
		if end := p.seq + length; !w.begun || int32(end-w.next) > 0 {
			w.next, w.begun = end, true
			w.Data++
		} else {
			w.Retransmits++
		}
	case w.begun && p.seq == w.next-1:
		segment := Segment{Time: at, Seq: p.seq, Ack: p.ack}
		if w.peerWindow == 0 && !w.heard.IsZero() {
			w.WindowProbes = append(w.WindowProbes, segment)
		} else {
			w.Probes = append(w.Probes, Probe{Segment: segment, Heard: w.heard})
		}
	}
}

// received takes a packet that came in by the interface.
func (w *wire) received(at time.Time, p packet) {
	if p.icmp {
		if p.src == w.local && p.dst == w.remote { // it quotes what we sent
			w.ICMP = append(w.ICMP, ICMPSeen{Time: at, Type: p.icmpType, Code: p.icmpCode, From: p.icmpSource})
		}
		return
	}
	if p.src != w.remote || p.dst != w.local {
		return
	}
	reset := p.flags&flagRST != 0
	if reset {
		w.ResetsIn++
		w.noteReset(at)
	} else {
		w.peerWindow = p.window
	}
	w.heard = at
	if n := len(w.Probes); n > 0 && w.Probes[n-1].Answer.IsZero() {
		w.Probes[n-1].Answer, w.Probes[n-1].Reset = at, reset
	}
}

func (w *wire) noteReset(at time.Time) {
	if w.Reset.IsZero() {
		w.Reset = at
	}
}
