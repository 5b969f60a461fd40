// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// Packets by hand, from their network headers on.
const (
	// 127.0.0.1:43690 > 127.0.0.1:8080, ACK, seq 1000, ack 2000, window 512, 12 bytes of options.
	probe4 = "45000034000040004006" + "0000" + "7f000001" + "7f000001" +
		"aaaa1f90" + "000003e8" + "000007d0" + "80100200" + "00000000" + "0101080a0000000100000002"
	// The same with 3 bytes of data and FIN.
	data4 = "45000037000040004006" + "0000" + "7f000001" + "7f000001" +
		"aaaa1f90" + "000003e8" + "000007d0" + "80110200" + "00000000" + "0101080a0000000100000002" + "616263"
	// [::1]:43690 > [::1]:8080, RST, seq 7, no options.
	reset6 = "6000000000140640" + "00000000000000000000000000000001" + "00000000000000000000000000000001" +
		"aaaa1f90" + "00000007" + "00000000" + "50040000" + "00000000"
	// 192.0.2.254 says that 198.51.100.2 is unreachable (3, 1), quoting 28 bytes
	// of 192.0.2.1:43690 > 198.51.100.2:8080, seq 999.
	icmp4 = "4500003800000000ff01" + "0000" + "c00002fe" + "c0000201" +
		"0301000000000000" +
		"45000034000040003f06" + "0000" + "c0000201" + "c6336402" + "aaaa1f90" + "000003e7"
	// 2001:db8::fe says no route (1, 0) of [2001:db8::1]:43690 > [2001:db8:1::2]:8080, seq 999.
	icmp6 = "6000000000383a40" + "20010db80000000000000000000000fe" + "20010db8000000000000000000000001" +
		"0100000000000000" +
		"6000000000140640" + "20010db8000000000000000000000001" + "20010db8000100000000000000000002" + "aaaa1f90" + "000003e7"
	// An echo request, which quotes nothing.
	echo4 = "4500001c00000000ff01" + "0000" + "c00002fe" + "c0000201" + "0800000000000000"
)

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParsePacket(t *testing.T) {
	port := netip.MustParseAddrPort
	for name, test := range map[string]struct {
		hex  string
		want packet
	}{
		"probe": {probe4, packet{src: port("127.0.0.1:43690"), dst: port("127.0.0.1:8080"), seq: 1000, ack: 2000, flags: flagACK, window: 512}},
		"data":  {data4, packet{src: port("127.0.0.1:43690"), dst: port("127.0.0.1:8080"), seq: 1000, ack: 2000, flags: flagACK | flagFIN, window: 512, payload: 3}},
		// A capture may cut data off; the length is the header's.
		"data cut short": {strings.TrimSuffix(data4, "616263"), packet{src: port("127.0.0.1:43690"), dst: port("127.0.0.1:8080"), seq: 1000, ack: 2000, flags: flagACK | flagFIN, window: 512, payload: 3}},
		"reset6":         {reset6, packet{src: port("[::1]:43690"), dst: port("[::1]:8080"), seq: 7, flags: flagRST}},
		"icmp": {icmp4, packet{src: port("192.0.2.1:43690"), dst: port("198.51.100.2:8080"), seq: 999,
			icmp: true, icmpType: 3, icmpCode: 1, icmpSource: netip.MustParseAddr("192.0.2.254")}},
		"icmp6": {icmp6, packet{src: port("[2001:db8::1]:43690"), dst: port("[2001:db8:1::2]:8080"), seq: 999,
			icmp: true, icmpType: 1, icmpCode: 0, icmpSource: netip.MustParseAddr("2001:db8::fe")}},
		// Padding after the packet is none of its payload.
		"padded": {probe4 + "000000000000", packet{src: port("127.0.0.1:43690"), dst: port("127.0.0.1:8080"), seq: 1000, ack: 2000, flags: flagACK, window: 512}},
	} {
		got, ok := parsePacket(bytesOf(t, test.hex))
		if !ok {
			t.Errorf("%s: not parsed", name)
			continue
		}
		compare := cmp.Options{cmp.AllowUnexported(packet{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
			cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
		if diff := cmp.Diff(test.want, got, compare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParsePacketRefuses(t *testing.T) {
	change := func(s string, at int, b byte) []byte {
		p := bytesOf(t, s)
		p[at] = b
		return p
	}
	for name, b := range map[string][]byte{
		"nothing":                {},
		"version 5":              change(probe4, 0, 0x55),
		"a short IP header":      change(probe4, 0, 0x44),
		"IP options cut off":     bytesOf(t, probe4)[:20:20],
		"a total below a header": change(probe4, 3, 10),
		"more fragments":         change(probe4, 6, 0x20),
		"a later fragment":       change(probe4, 7, 1),
		"UDP":                    change(probe4, 9, 17),
		"ICMPv6 in IPv4":         change(icmp4, 9, 58),
		"ICMP in IPv6":           change(icmp6, 6, 1),
		"TCP cut off":            bytesOf(t, probe4)[:39],
		"a short TCP header":     change(probe4, 32, 0x40),
		"a TCP header too long":  change(reset6, 52, 0xf0),
		"IPv6 cut off":           bytesOf(t, reset6)[:39],
		"an echo request":        bytesOf(t, echo4),
		"an ICMPv6 echo":         change(icmp6, 40, 128),
		"ICMP cut off":           bytesOf(t, icmp4)[:27],
		"a quotation cut off":    bytesOf(t, icmp4)[:55],
		"a quotation of UDP":     change(icmp4, 37, 17),
	} {
		if p, ok := parsePacket(b); ok {
			t.Errorf("%s: parsed as %+v", name, p)
		}
	}
}

// FuzzParsePacket: no input makes the parser fail, and what it makes of one
// holds together.
func FuzzParsePacket(f *testing.F) {
	for _, s := range []string{probe4, data4, reset6, icmp4, icmp6, echo4} {
		f.Add(bytesOf(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePacket(b)
		if !ok {
			if p != (packet{}) {
				t.Errorf("refused, and still %+v", p)
			}
			return
		}
		if !p.src.IsValid() || !p.dst.IsValid() || p.src.Addr().Is4() != p.dst.Addr().Is4() {
			t.Errorf("from %v to %v", p.src, p.dst)
		}
		if p.payload < 0 || p.payload > 1<<16 {
			t.Errorf("a payload of %d", p.payload)
		}
		if p.icmp != p.icmpSource.IsValid() || (p.icmp && !isError(icmpProto(p.icmpSource), p.icmpType)) {
			t.Errorf("ICMP type %d from %v", p.icmpType, p.icmpSource)
		}
		// A wire takes whatever a parser makes.
		w := wire{local: p.src, remote: p.dst}
		w.sent(noTime, p)
		w.received(noTime, p)
	})
}

func icmpProto(a netip.Addr) uint8 {
	if a.Is6() {
		return unix.IPPROTO_ICMPV6
	}
	return unix.IPPROTO_ICMP
}
