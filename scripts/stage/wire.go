// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"time"
)

// fate is what the wire does with the packets of a peer.
type fate int

const (
	carried     fate = iota
	gone             // lost on the way, in both directions
	unreachable      // a router refuses what is sent to it
)

// router is the address that ICMP errors come from.
var router = netip.MustParseAddr("10.0.0.254")

// A wire carries IPv4 packets between the hosts' TUN devices.
type wire struct {
	mu     sync.Mutex
	device map[netip.Addr]*os.File      // where an address lives
	away   map[netip.Addr]time.Duration // one way to a peer; absent: next to us
	fate   map[netip.Addr]fate
}

func newWire() *wire {
	return &wire{device: map[netip.Addr]*os.File{}, away: map[netip.Addr]time.Duration{}, fate: map[netip.Addr]fate{}}
}

// set gives a peer's packets another fate.
func (w *wire) set(peer string, f fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fate[netip.MustParseAddr(peer)] = f
}

// plug carries what comes out of a device until it is closed.
func (w *wire) plug(device *os.File, addresses []netip.Addr) {
	w.mu.Lock()
	for _, a := range addresses {
		w.device[a] = device
	}
	w.mu.Unlock()
	go func() {
		for {
			packet := make([]byte, 2048)
			n, err := device.Read(packet)
			if err != nil {
				return
			}
			if n >= 28 && packet[0]>>4 == 4 {
				w.carry(packet[:n])
			}
		}
	}()
}

func (w *wire) carry(packet []byte) {
	source, _ := netip.AddrFromSlice(packet[12:16])
	target, _ := netip.AddrFromSlice(packet[16:20])
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.fate[target] == unreachable:
		if back := w.device[source]; back != nil {
			_, _ = back.Write(hostUnreachable(packet))
		}
	case w.fate[source] != carried || w.fate[target] != carried:
	default:
		out, way := w.device[target], max(w.away[source], w.away[target])
		if out == nil {
			return
		}
		if way > 0 { // a long way varies by a fifth
			way += rand.N(way / 5)
		}
		time.AfterFunc(way, func() { _, _ = out.Write(packet) })
	}
}

// hostUnreachable is a router's answer to a packet (RFC 792).
func hostUnreachable(packet []byte) []byte {
	quoted := packet[:min(len(packet), int(packet[0]&15)*4+8)]
	icmp := append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, quoted...)
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp))
	ip := make([]byte, 20, 20+len(icmp))
	ip[0], ip[8], ip[9] = 0x45, 64, 1
	binary.BigEndian.PutUint16(ip[2:], uint16(cap(ip)))
	copy(ip[12:], router.AsSlice())
	copy(ip[16:], packet[12:16])
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return append(ip, icmp...)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
