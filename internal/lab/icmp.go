// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// errNotHere: ICMP errors are not sent into other people's namespaces.
var errNotHere = errors.New("only in a network namespace of its own, which needs CAP_SYS_ADMIN and CAP_NET_ADMIN")

// testICMP4 has an ICMP host unreachable come in about a connection that there
// is not: the kernel hands it to TCP all the same.
func testICMP4(ctx context.Context, n *network) error {
	return testICMP(ctx, n, icmpTest{
		family: unix.AF_INET, proto: unix.IPPROTO_ICMP, to: loopback4, message: unreachable4(loopback4),
		file: "snmp", count: func(text []byte) (uint64, error) { return countIn(text, "Icmp:", "InDestUnreachs") },
	})
}

// testICMP6 is the same with ICMPv6 no route.
func testICMP6(ctx context.Context, n *network) error {
	return testICMP(ctx, n, icmpTest{
		family: unix.AF_INET6, proto: unix.IPPROTO_ICMPV6, to: loopback6, message: unreachable6(loopback6),
		file: "snmp6", count: icmp6Unreachables,
	})
}

type icmpTest struct {
	family, proto int
	to            netip.Addr
	message       []byte
	file          string // of /proc/net, with the kernel's count of such messages
	count         func([]byte) (uint64, error)
}

func testICMP(ctx context.Context, n *network, t icmpTest) error {
	if n.near.file == nil {
		return errNotHere
	}
	return n.near.do(func() error {
		count := func() (uint64, error) {
			text, err := os.ReadFile("/proc/thread-self/net/" + t.file)
			if err != nil {
				return 0, err
			}
			return t.count(text)
		}
		before, err := count()
		if err != nil {
			return err
		}
		fd, err := unix.Socket(t.family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, t.proto)
		if err != nil {
			return fmt.Errorf("make a raw socket: %w", err)
		}
		defer func() { _ = unix.Close(fd) }()
		if err := unix.Sendto(fd, t.message, 0, sockaddr(netip.AddrPortFrom(t.to, 0))); err != nil {
			return fmt.Errorf("send an ICMP error to %s: %w", t.to, err)
		}
		return poll(ctx, "an ICMP error", func() (bool, error) {
			now, err := count()
			return now > before, err
		})
	})
}

// unreachable4 is an ICMP host unreachable (RFC 792) that quotes the beginning
// of a TCP segment from addr to addr.
func unreachable4(addr netip.Addr) []byte {
	m := make([]byte, 8+20+8)
	m[0], m[1] = 3, 1
	ip := m[8:]
	ip[0], ip[8], ip[9] = 4<<4|5, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(ip[2:], 40)
	copy(ip[12:], addr.AsSlice())
	copy(ip[16:], addr.AsSlice())
	discardPorts(ip[20:])
	binary.BigEndian.PutUint16(m[2:], checksum(m))
	return m
}

// unreachable6 is an ICMPv6 no route (RFC 4443, 3.1), likewise. The kernel fills
// in its checksum (RFC 3542, 3.1).
func unreachable6(addr netip.Addr) []byte {
	m := make([]byte, 8+40+8)
	m[0], m[1] = 1, 0
	ip := m[8:]
	ip[0], ip[6], ip[7] = 6<<4, unix.IPPROTO_TCP, 64
	binary.BigEndian.PutUint16(ip[4:], 20)
	copy(ip[8:], addr.AsSlice())
	copy(ip[24:], addr.AsSlice())
	discardPorts(ip[40:])
	return m
}

// discardPorts are those of a service that nobody has (RFC 863).
func discardPorts(tcp []byte) {
	binary.BigEndian.PutUint16(tcp, 9)
	binary.BigEndian.PutUint16(tcp[2:], 9)
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// icmp6Unreachables finds a counter in the text of /proc/net/snmp6: a name and a
// value a line.
func icmp6Unreachables(text []byte) (uint64, error) {
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 2 && string(fields[0]) == "Icmp6InDestUnreachs" {
			return strconv.ParseUint(string(fields[1]), 10, 64)
		}
	}
	return 0, errors.New(`no counter "Icmp6InDestUnreachs" in /proc/net/snmp6`)
}
