// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"net/netip"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// icmp tells of an ICMP error that quotes the last probe.
func (t *Tracker) icmp(r *loader.Record, s *story, e *Event) {
	six := e.Family == conn.IPv6
	e.ICMP = ICMP{Type: r.IcmpType, Code: r.IcmpCode, Text: icmpText(six, r.IcmpType, r.IcmpCode)}
	if r.Family == afInet {
		e.ICMP.From = netip.AddrFrom4([4]byte(r.From[:4]))
	} else {
		e.ICMP.From = netip.AddrFrom16(r.From).Unmap()
	}
	s.count(r, e)
	if isUnreachable(six, r.IcmpType, r.IcmpCode) {
		s.unreachable = true
	}
	if s.unreachable {
		e.Verdict = VerdictUnreachable
	}
}

// The ICMP types that say a segment did not arrive (RFC 792, RFC 4443).
const (
	icmp4Unreachable  = 3
	icmp4TimeExceeded = 11
	icmp6Unreachable  = 1
	icmp6TooBig       = 2
	icmp6TimeExceeded = 3
	icmp4FragNeeded   = 4 // code of icmp4Unreachable: path MTU discovery, not an end
)

func isUnreachable(six bool, typ, code uint8) bool {
	if six {
		return typ == icmp6Unreachable || typ == icmp6TimeExceeded
	}
	return typ == icmp4Unreachable && code != icmp4FragNeeded || typ == icmp4TimeExceeded
}

var icmp4Codes = [...]string{
	"network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed",
	"source route failed", "network unknown", "host unknown", "source host isolated", "network prohibited",
	"host prohibited", "network unreachable for this service", "host unreachable for this service",
	"communication prohibited", "host precedence violation", "precedence cutoff",
}

var icmp6Codes = [...]string{
	"no route", "communication prohibited", "beyond the source address's scope", "address unreachable",
	"port unreachable", "source address failed policy", "route rejected",
}

// icmpText says the type and code in words (the IANA registry's, shortened).
func icmpText(six bool, typ, code uint8) string {
	switch {
	case !six && typ == icmp4Unreachable && int(code) < len(icmp4Codes):
		return icmp4Codes[code]
	case six && typ == icmp6Unreachable && int(code) < len(icmp6Codes):
		return icmp6Codes[code]
	case !six && typ == icmp4TimeExceeded, six && typ == icmp6TimeExceeded:
		return "time exceeded"
	case !six && typ == 12, six && typ == 4:
		return "parameter problem"
	case !six && typ == 5, six && typ == 137:
		return "redirect"
	case six && typ == icmp6TooBig:
		return "packet too big"
	case !six && typ == 4:
		return "source quench"
	}
	return "error"
}

// cString is the text before the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
