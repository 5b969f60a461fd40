// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"net/netip"

	"katrace/internal/conn"
)

// kernelFilter is f as the programs take it. Kinds with more values than the
// kernel's table holds are left to user space, which tests the whole filter.
func kernelFilter(f *conn.SocketFilter) katraceFilter {
	var k katraceFilter
	if len(f.Netns) <= len(k.Netns) {
		k.N_netns = uint8(copy(k.Netns[:], f.Netns))
	}
	if len(f.Ports) <= len(k.Port) {
		k.N_port = uint8(copy(k.Port[:], f.Ports))
	}
	if len(f.LocalPorts) <= len(k.LocalPort) {
		k.N_localPort = uint8(copy(k.LocalPort[:], f.LocalPorts))
	}
	if len(f.RemotePorts) <= len(k.RemotePort) {
		k.N_remotePort = uint8(copy(k.RemotePort[:], f.RemotePorts))
	}
	if len(f.Prefixes) <= len(k.Prefix) {
		for i, p := range f.Prefixes {
			k.Prefix[i].Addr, k.Prefix[i].Mask = prefixBytes(p)
		}
		k.N_prefix = uint8(len(f.Prefixes))
	}
	if f.OnlyIPv4 != f.OnlyIPv6 {
		k.OnlyV4, k.OnlyV6 = b2u(f.OnlyIPv4), b2u(f.OnlyIPv6)
	}
	k.On = b2u(k.N_netns|k.N_port|k.N_localPort|k.N_remotePort|k.N_prefix|k.OnlyV4|k.OnlyV6 != 0)
	return k
}

// prefixBytes is the prefix over 16-byte addresses, IPv4 as ::ffff:a.b.c.d.
func prefixBytes(p netip.Prefix) (addr, mask [16]byte) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	addr = p.Addr().As16()
	for i := range mask {
		n := min(max(bits-8*i, 0), 8)
		mask[i] = byte(0xff << (8 - n))
		addr[i] &= mask[i]
	}
	return addr, mask
}

func b2u(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
