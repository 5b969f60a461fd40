// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"net/netip"
	"testing"
)

// TestHostUnreachable: a whole ICMP error to the packet's sender, with the
// packet's header and eight bytes more. The checksum over a part that holds its
// own checksum is 0 (RFC 1071).
func TestHostUnreachable(t *testing.T) {
	packet := make([]byte, 60)
	packet[0] = 0x45
	copy(packet[12:], netip.MustParseAddr("10.0.0.2").AsSlice())
	copy(packet[16:], netip.MustParseAddr("10.0.0.31").AsSlice())
	for i := range packet[20:] {
		packet[20+i] = byte(i + 1)
	}
	got := hostUnreachable(packet)
	if len(got) != 20+8+28 || int(got[2])<<8|int(got[3]) != len(got) {
		t.Fatalf("%d bytes, the header has %d", len(got), int(got[2])<<8|int(got[3]))
	}
	ip, icmp := got[:20], got[20:]
	if checksum(ip) != 0 || checksum(icmp) != 0 {
		t.Errorf("checksums leave %#x and %#x", checksum(ip), checksum(icmp))
	}
	if icmp[0] != 3 || icmp[1] != 1 || !bytes.Equal(ip[12:16], router.AsSlice()) || !bytes.Equal(ip[16:], packet[12:16]) {
		t.Errorf("type %d code %d, from %v to %v", icmp[0], icmp[1], ip[12:16], ip[16:])
	}
	if !bytes.Equal(icmp[8:], packet[:28]) {
		t.Errorf("quotes %x", icmp[8:])
	}
}
