// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"testing"
	"time"
)

var noTime time.Time

// TestWire plays a connection whose sequence numbers wrap around, packet by packet.
func TestWire(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	w := wire{local: local, remote: remote}
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
		w.received(at, p)
		w.received(at, packet{src: local, dst: remote, flags: flagRST}) // our own on lo, coming in
	}
	const last = ^uint32(0)
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
	out(packet{flags: flagACK, seq: 0})                    // the third probe
	in(packet{flags: flagRST})                             // refused
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
	if len(w.ICMP) != 1 || w.ICMP[0].From != remote.Addr() || w.ICMP[0].Type != 3 || w.ICMP[0].Code != 1 {
		t.Errorf("icmp: %+v", w.ICMP)
	}
}
