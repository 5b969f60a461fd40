// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The flags of a TCP segment (RFC 9293, 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// packet is what the lab wants to know of a captured packet: a TCP segment, or
// an ICMP error that quotes one.
type packet struct {
	src, dst netip.AddrPort // of the segment; of the quoted one in an ICMP error

	// A TCP segment.
	seq, ack uint32
	flags    uint8
	window   uint16 // as sent: not scaled
	payload  int    // bytes

	// An ICMP error.
	icmp       bool
	icmpType   uint8
	icmpCode   uint8
	icmpSource netip.Addr // who says it
}

// parsePacket reads a packet from its network header on; it may be cut short
// after the headers. It says false for whatever is neither TCP nor an ICMP
// error about TCP: fragments and IPv6 extension headers too, which the lab's
// own connections never have.
func parsePacket(b []byte) (packet, bool) {
	ip, ok := parseIP(b)
	if !ok {
		return packet{}, false
	}
	switch {
	case ip.proto == unix.IPPROTO_TCP:
		return parseTCP(ip)
	case ip.proto == unix.IPPROTO_ICMP && ip.src.Is4(), ip.proto == unix.IPPROTO_ICMPV6 && ip.src.Is6():
		return parseICMP(ip)
	}
	return packet{}, false
}

// ipPacket is an IP packet without its header.
type ipPacket struct {
	src, dst netip.Addr
	proto    uint8
	size     int    // bytes after the header, by the header
	rest     []byte // those of them that were captured
}

func parseIP(b []byte) (ip ipPacket, ok bool) {
	if len(b) < 20 {
		return ip, false
	}
	switch b[0] >> 4 {
	case 4:
		header := int(b[0]&15) * 4
		total := int(binary.BigEndian.Uint16(b[2:]))
		fragmented := binary.BigEndian.Uint16(b[6:])&0x3fff != 0 // more fragments, or an offset
		if header < 20 || len(b) < header || total < header || fragmented {
			return ip, false
		}
		ip.src = netip.AddrFrom4([4]byte(b[12:16]))
		ip.dst = netip.AddrFrom4([4]byte(b[16:20]))
		ip.proto, ip.size, ip.rest = b[9], total-header, b[header:]
	case 6:
		if len(b) < 40 {
			return ip, false
		}
		ip.src = netip.AddrFrom16([16]byte(b[8:24]))
		ip.dst = netip.AddrFrom16([16]byte(b[24:40]))
		ip.proto, ip.size, ip.rest = b[6], int(binary.BigEndian.Uint16(b[4:])), b[40:]
	default:
		return ip, false
	}
	ip.rest = ip.rest[:min(len(ip.rest), ip.size)]
	return ip, true
}

func parseTCP(ip ipPacket) (p packet, ok bool) {
	b := ip.rest
	if len(b) < 20 {
		return p, false
	}
	header := int(b[12]>>4) * 4
	if header < 20 || ip.size < header {
		return p, false
	}
	p.src, p.dst = ports(ip)
	p.seq = binary.BigEndian.Uint32(b[4:])
	p.ack = binary.BigEndian.Uint32(b[8:])
	p.flags = b[13]
	p.window = binary.BigEndian.Uint16(b[14:])
	p.payload = ip.size - header
	return p, true
}

// parseICMP reads an ICMP or ICMPv6 error: 8 bytes, then the packet that it is
// about from its IP header on (RFC 792; RFC 4443, 2.4).
func parseICMP(ip ipPacket) (p packet, ok bool) {
	b := ip.rest
	if len(b) < 8 || !isError(ip.proto, b[0]) {
		return p, false
	}
	quoted, ok := parseIP(b[8:])
	if !ok || quoted.proto != unix.IPPROTO_TCP || len(quoted.rest) < 8 {
		return p, false
	}
	p.src, p.dst = ports(quoted)
	p.seq = binary.BigEndian.Uint32(quoted.rest[4:])
	p.icmp, p.icmpType, p.icmpCode, p.icmpSource = true, b[0], b[1], ip.src
	return p, true
}

// isError tells ICMP errors, which quote a packet, from other messages.
func isError(proto, icmpType uint8) bool {
	if proto == unix.IPPROTO_ICMPV6 {
		return icmpType < 128
	}
	switch icmpType {
	case 3, 4, 5, 11, 12: // unreachable, source quench, redirect, time exceeded, parameter problem
		return true
	}
	return false
}

func ports(ip ipPacket) (src, dst netip.AddrPort) {
	return netip.AddrPortFrom(ip.src, binary.BigEndian.Uint16(ip.rest)),
		netip.AddrPortFrom(ip.dst, binary.BigEndian.Uint16(ip.rest[2:]))
}
