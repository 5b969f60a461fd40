// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"testing"
)

// TestIPv4Segment: what is sent in the peer's name is what this package reads, and
// its checksum is right, with and without a byte of garbage.
func TestIPv4Segment(t *testing.T) {
	want := packet{
		src: netip.MustParseAddrPort("192.0.2.2:40122"), dst: netip.MustParseAddrPort("192.0.2.1:5432"),
		seq: 999, ack: 0xfffffff0, flags: flagACK, window: 512,
	}
	for _, garbage := range []int{0, 1} {
		want.payload = garbage
		b := ipv4Segment(want, make([]byte, garbage))
		got, ok := parsePacket(b)
		if !ok || got != want {
			t.Errorf("%d bytes of garbage: %+v, want %+v", garbage, got, want)
		}
		if sum := checksum(pseudoHeader(want.src.Addr().As4(), want.dst.Addr().As4(), b[20:])); sum != 0 {
			t.Errorf("%d bytes of garbage: checksum over the segment with its own: %#x, want 0", garbage, sum)
		}
		if !isProbe(got, want.seq+1) {
			t.Errorf("%d bytes of garbage: no probe", garbage)
		}
	}
}
