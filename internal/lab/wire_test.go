// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"testing"
	"time"

	"katrace/internal/events"
)

var noTime time.Time

// TestWire plays a connection whose sequence numbers wrap around, packet by packet.
func TestWire(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	w := wire{local: local, remote: remote}
	const last, peerNext = ^uint32(0), 1
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	out := func(p packet) {
		at = at.Add(time.Second)
		p.src, p.dst = local, remote
		w.sent(at, p)
		w.sent(at, packet{src: remote, dst: local, seq: p.seq, flags: p.flags}) // the other direction on lo: not ours
	}
	in := func(p packet) {
		at = at.Add(time.Second)
		p.src, p.dst = remote, local
		if p.flags&flagSYN == 0 {
			p.seq += peerNext
		}
		w.received(at, p)
		w.received(at, packet{src: local, dst: remote, flags: flagRST}) // our own on lo, coming in
	}
	out(packet{flags: flagACK, seq: last - 3})             // nothing is known yet: not a probe
	out(packet{flags: flagSYN, seq: last - 2})             // next: last - 1
	in(packet{flags: flagSYN | flagACK, window: 100})      //
	out(packet{flags: flagACK, seq: last - 1})             // an ACK of the handshake
	out(packet{flags: flagACK, seq: last - 1, payload: 2}) // next: 0
	out(packet{flags: flagACK, seq: last - 1, payload: 2}) // again
	in(packet{flags: flagACK, window: 100})                //
	out(packet{flags: flagACK, seq: last})                 // the first probe
	heard, probed := w.Probes[0].Heard, w.Probes[0].Time   //
	in(packet{flags: flagACK, window: 0})                  // answered, and the window closed
	out(packet{flags: flagACK, seq: last})                 // a zero-window probe
	in(packet{flags: flagACK, window: 9})                  // not an answer to a keepalive probe
	out(packet{flags: flagACK, seq: last, ack: 5})         // the second probe
	out(packet{flags: flagACK | flagFIN, seq: 0})          // next: 1
	out(packet{flags: flagACK | flagFIN, seq: 0})          // again: of this alone
	out(packet{flags: flagACK, seq: 0})                    // the third probe
	in(packet{flags: flagACK | flagRST})                   // refused
	out(packet{flags: flagRST, seq: 0})                    //
	w.received(at, packet{icmp: true, src: local, dst: remote, icmpType: 3, icmpCode: 1, icmpSource: remote.Addr()})
	w.received(at, packet{icmp: true, src: local, dst: local, icmpType: 3})
	w.sent(at, packet{icmp: true, src: local, dst: remote, icmpType: 3})

	if len(w.Probes) != 3 {
		t.Fatalf("probes: %+v", w.Probes)
	}
	p := w.Probes
	if p[0].Seq != last || probed.Sub(heard) != time.Second || !p[0].Answered() || p[0].Answer.Sub(probed) != time.Second {
		t.Errorf("first probe: %+v", p[0])
	}
	if p[1].Ack != 5 || p[1].Answered() || p[1].Reset {
		t.Errorf("second probe: %+v", p[1])
	}
	if p[2].Seq != 0 || p[2].Answered() || !p[2].Reset || p[2].Answer.IsZero() {
		t.Errorf("third probe: %+v", p[2])
	}
	if len(w.WindowProbes) != 1 || w.Data != 3 || w.Retransmits != 1 || w.ResetsOut != 1 || w.ResetsIn != 1 || w.Answers() != 1 {
		t.Errorf("capture: %+v", w.Capture)
	}
	if !w.Reset.Equal(p[2].Answer) {
		t.Errorf("reset at %v, the first came at %v", w.Reset, p[2].Answer)
	}
	if w.RST != events.RSTAbort {
		t.Errorf("RST with ACK is %q", w.RST)
	}
	if len(w.ICMP) != 1 || w.ICMP[0].From != remote.Addr() || w.ICMP[0].Type != 3 || w.ICMP[0].Code != 1 {
		t.Errorf("icmp: %+v", w.ICMP)
	}
}

// TestWirePeer: what the peer sends beside answers: data, probes of its own, of
// which only the one-byte ones count as heard, and a RST without ACK.
func TestWirePeer(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	w := wire{local: local, remote: remote}
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	at := start
	out := func(seq uint32) {
		at = at.Add(time.Second)
		w.sent(at, packet{src: local, dst: remote, flags: flagACK, seq: seq})
	}
	in := func(seq uint32, flags uint8, payload int) {
		at = at.Add(time.Second)
		w.received(at, packet{src: remote, dst: local, flags: flags, seq: seq, payload: payload, window: 9})
	}
	in(6, flagSYN|flagACK, 0)
	w.sent(at, packet{src: local, dst: remote, flags: flagACK, seq: 99, payload: 1}) // next: 100
	out(99)                                                                          // a probe
	in(7, flagACK, 3)                                                                // 3 s: data, and no answer
	out(99)                                                                          // a probe
	in(9, flagACK, 0)                                                                // 5 s: the peer's probe: not heard
	out(100)                                                                         // 6 s: answered
	in(9, flagACK, 1)                                                                // 7 s: with a byte: heard
	in(8, flagACK, 2)                                                                // 8 s: no probe: more than a byte
	out(100)                                                                         // 9 s
	out(100)
	in(9, flagACK|flagPSH, 1) // 11 s: no probe: data sent again
	in(10, flagRST, 0)

	p := w.Probes
	if len(p) != 2 || !p[0].Data || p[0].More || p[0].Answer.Sub(start) != 3*time.Second {
		t.Errorf("after the first probe came data: %+v", p)
	}
	if len(p) != 2 || !p[0].Reply.IsZero() || !p[1].Reply.IsZero() {
		t.Errorf("nothing answered these: %+v", p)
	}
	if len(p) != 2 || p[1].Heard.Sub(start) != 3*time.Second || p[1].Answer.Sub(start) != 7*time.Second || !p[1].More {
		t.Errorf("after the second the peer probed: %+v", p)
	}
	q := w.Probed
	if len(q) != 2 || q[0].Data || !q[1].Data || q[0].Answer.Sub(start) != 6*time.Second || q[1].Answer.Sub(start) != 9*time.Second {
		t.Errorf("the peer's probes: %+v", q)
	}
	if w.RST != events.RSTUnknownConnection || w.Heard.Sub(start) != 11*time.Second {
		t.Errorf("reset %q, heard %v", w.RST, w.Heard.Sub(start))
	}
}

// TestWireReply: the peer probes by itself before it answers a probe.
func TestWireReply(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	w := wire{local: local, remote: remote}
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for i, in := range []packet{{flags: flagSYN | flagACK, seq: 6}, {}, {}, {flags: flagACK, seq: 6, payload: 1}, {flags: flagACK, seq: 7}, {flags: flagACK, seq: 7}} {
		at := start.Add(time.Duration(i) * time.Second)
		switch i {
		case 1:
			w.sent(at, packet{src: local, dst: remote, flags: flagACK, seq: 99, payload: 1})
		case 2:
			w.sent(at, packet{src: local, dst: remote, flags: flagACK, seq: 99})
		default:
			in.src, in.dst, in.window = remote, local, 9
			w.received(at, in)
		}
	}
	if len(w.Probes) != 1 || !w.Probes[0].Data || w.Probes[0].Answer.Sub(start) != 3*time.Second || w.Probes[0].Reply.Sub(start) != 4*time.Second {
		t.Errorf("probes: %+v", w.Probes)
	}
}
