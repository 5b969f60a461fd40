// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"time"

	"katrace/internal/events"
)

// Capture is what a packet capture on the traced socket's interface showed of
// the connection. Times are wall clock, given by the kernel to each packet.
type Capture struct {
	Probes       []Probe    // keepalive probes sent by the traced socket
	WindowProbes []Segment  // the same segments, sent while the peer's window was closed
	Data         int        // segments with data, SYN or FIN sent for the first time
	Retransmits  int        // of the last of it, or what was before it: sent again
	ResetsOut    int        // RST sent by the traced socket
	ResetsIn     int        // RST sent by the peer, or by the peer's host
	RST          events.RST // what the first of these tells of its sender
	Reset        time.Time  // when the first RST was seen, either way; zero: none
	Heard        time.Time  // the peer's last segment that counts as heard
	Probed       []Probe    // keepalive probes sent by the peer, and the traced socket's answers
	ICMP         []ICMPSeen // ICMP errors about the connection
	Dropped      uint64     // packets that the capture lost
}

// Segment is a captured TCP segment.
type Segment struct {
	Time     time.Time
	Seq, Ack uint32
}

// Probe is a captured keepalive probe, and what the peer said next.
type Probe struct {
	Segment
	Heard  time.Time // the last segment from the peer before the probe
	Answer time.Time // the peer's next segment, if it came before another probe; zero: none
	Reset  bool      // that was RST
	Data   bool      // it carried data: the peer was heard, and did not answer
	More   bool      // and another one came before the next probe
	// Reply is what came then, where the first was a probe of the peer's own: the kernel heard
	// the peer by that, but what answers the probe is this. Zero: none.
	Reply time.Time
}

// Answered says that the peer was heard after the probe.
func (p Probe) Answered() bool { return !p.Answer.IsZero() && !p.Reset }

// ICMPSeen is a captured ICMP error.
type ICMPSeen struct {
	Time       time.Time
	Type, Code uint8
	From       netip.Addr
}

// Answers counts the probes after which the peer was heard.
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
	peerNext   uint32 // the same as next, of what the peer sent
	peerBegun  bool
	peerProbed bool // the answer to the last probe is a probe of the peer's own
	peerWindow uint16
	deaf       time.Time // from then on this host drops what comes: it is not heard; zero: it does not
}

// isProbe says that a segment is a keepalive probe of a sender that has sent
// everything before next: empty or, as RFC 1122 (4.2.3.6) allows, with one byte
// of garbage, and just before next. Data sent again, as the lab sends it, has PSH.
func isProbe(p packet, next uint32) bool {
	return p.flags&(flagSYN|flagFIN|flagRST|flagPSH) == 0 && p.payload <= 1 && p.seq == next-1
}

// length is how much of the sequence space a segment takes.
func (p packet) length() uint32 {
	n := uint32(p.payload)
	for _, flag := range []uint8{flagSYN, flagFIN} {
		if p.flags&flag != 0 {
			n++
		}
	}
	return n
}

// sent takes a packet that left by the interface.
func (w *wire) sent(at time.Time, p packet) {
	if p.icmp || p.src != w.local || p.dst != w.remote {
		return
	}
	length := p.length()
	switch {
	case p.flags&flagRST != 0:
		w.ResetsOut++
		w.noteReset(at)
	case length > 0:
		if end := p.seq + length; !w.begun || int32(end-w.next) > 0 {
			w.next, w.begun = end, true
			w.Data++
			w.Retransmits = 0
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
	default:
		if n := len(w.Probed); n > 0 && w.Probed[n-1].Answer.IsZero() {
			w.Probed[n-1].Answer = at
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
	if p.src != w.remote || p.dst != w.local || !w.deaf.IsZero() && at.After(w.deaf) {
		return
	}
	length := p.length()
	if n := len(w.Probes); n > 0 && !w.Probes[n-1].Answer.IsZero() {
		w.Probes[n-1].More = true
	}
	own := w.peerBegun && isProbe(p, w.peerNext)
	if own {
		w.Probed = append(w.Probed, Probe{Segment: Segment{Time: at, Seq: p.seq, Ack: p.ack}, Data: length > 0})
		if length == 0 {
			return // dropped as old (tcp_validate_incoming): the kernel does not count it as heard
		}
	}
	if end := p.seq + length; length > 0 && (!w.peerBegun || int32(end-w.peerNext) > 0) {
		w.peerNext, w.peerBegun = end, true
	}
	reset := p.flags&flagRST != 0
	if reset {
		if w.ResetsIn == 0 {
			w.RST = events.RSTUnknownConnection
			if p.flags&flagACK != 0 {
				w.RST = events.RSTAbort
			}
		}
		w.ResetsIn++
		w.noteReset(at)
	} else {
		w.peerWindow = p.window
		w.Heard = at
	}
	w.heard = at
	if len(w.Probes) == 0 {
		return
	}
	switch last := &w.Probes[len(w.Probes)-1]; {
	case last.Answer.IsZero():
		last.Answer, last.Reset, last.Data = at, reset, p.payload > 0
		w.peerProbed = own
	case w.peerProbed && last.Reply.IsZero() && !own && !reset && length == 0:
		last.Reply = at
	}
}

func (w *wire) noteReset(at time.Time) {
	if w.Reset.IsZero() {
		w.Reset = at
	}
}
