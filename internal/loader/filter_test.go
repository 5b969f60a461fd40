// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// inPrefix is in_prefix of bpf/filter.h.
func inPrefix(addr, mask [16]byte, a [16]byte, family uint8) bool {
	for i := range 16 {
		b := a[i]
		if family == unix.AF_INET {
			switch {
			case i < 10:
				b = 0
			case i < 12:
				b = 0xff
			default:
				b = a[i-12]
			}
		}
		if b&mask[i] != addr[i] {
			return false
		}
	}
	return true
}

// inRecord is the address as a record has it.
func inRecord(a netip.Addr) ([16]byte, uint8) {
	var b [16]byte
	if a.Is4() {
		four := a.As4()
		copy(b[:], four[:])
		return b, unix.AF_INET
	}
	return a.As16(), unix.AF_INET6
}

// TestPrefixBytes: the kernel's test passes every address of the prefix, and
// no other one of its family.
func TestPrefixBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	addr := func() netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		if rnd.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b)
	}
	inside := 0
	for range 100_000 {
		a := addr()
		p := netip.PrefixFrom(a, rnd.IntN(a.BitLen()+1))
		x := a
		if rnd.IntN(4) > 0 { // near it: one bit differs
			b := a.AsSlice()
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
			x, _ = netip.AddrFromSlice(b)
		}
		base, mask := prefixBytes(p)
		raw, family := inRecord(x)
		got, want := inPrefix(base, mask, raw, family), p.Contains(x)
		if got != want {
			t.Fatalf("%s in %s: the kernel says %v, want %v (addr %x mask %x)", x, p, got, want, base, mask)
		}
		if want {
			inside++
		}
		// An IPv4-mapped address counts as IPv4 in both.
		if x.Is4() && inPrefix(base, mask, x.As16(), unix.AF_INET6) != want {
			t.Fatalf("%s as IPv4-mapped in %s: not %v", x, p, want)
		}
	}
	if inside < 10_000 || inside > 90_000 {
		t.Errorf("%d of 100000 addresses inside: that proves little", inside)
	}
}

func TestPrefixBytesByHand(t *testing.T) {
	for in, want := range map[string][2]string{
		"10.1.2.3/8":        {"::ffff:10.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff:ff00:0"},
		"0.0.0.0/0":         {"::ffff:0.0.0.0", "ffff:ffff:ffff:ffff:ffff:ffff::"},
		"10.1.2.3/32":       {"::ffff:10.1.2.3", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"2001:db8:1:2::/35": {"2001:db8::", "ffff:ffff:e000::"},
		"::/0":              {"::", "::"},
	} {
		addr, mask := prefixBytes(netip.MustParsePrefix(in))
		if a, m := netip.AddrFrom16(addr).String(), netip.AddrFrom16(mask).String(); a != want[0] || m != want[1] {
			t.Errorf("%s: %s mask %s, want %v", in, a, m, want)
		}
	}
}

func TestKernelFilter(t *testing.T) {
	ports := func(n int) (all []uint16) {
		for i := range n {
			all = append(all, uint16(i+1))
		}
		return all
	}
	if k := kernelFilter(&conn.SocketFilter{}); k != (katraceFilter{}) {
		t.Errorf("no filter: %+v, want the zero value: off", k)
	}
	// The number of a kind's values, and that the kernel filters at all.
	for name, tt := range map[string]struct {
		f      conn.SocketFilter
		n      func(*katraceFilter) uint8
		want   uint8
		wantOn uint8
	}{
		"netns":              {conn.SocketFilter{Netns: []uint32{7, 8}}, func(k *katraceFilter) uint8 { return k.N_netns }, 2, 1},
		"port":               {conn.SocketFilter{Ports: ports(8)}, func(k *katraceFilter) uint8 { return k.N_port }, 8, 1},
		"local port":         {conn.SocketFilter{LocalPorts: ports(1)}, func(k *katraceFilter) uint8 { return k.N_localPort }, 1, 1},
		"remote port":        {conn.SocketFilter{RemotePorts: ports(3)}, func(k *katraceFilter) uint8 { return k.N_remotePort }, 3, 1},
		"prefix":             {conn.SocketFilter{Prefixes: []netip.Prefix{netip.MustParsePrefix("::/0")}}, func(k *katraceFilter) uint8 { return k.N_prefix }, 1, 1},
		"more than fit":      {conn.SocketFilter{Ports: ports(9)}, func(k *katraceFilter) uint8 { return k.N_port }, 0, 0},
		"one of two fits":    {conn.SocketFilter{Ports: ports(9), LocalPorts: ports(1)}, func(k *katraceFilter) uint8 { return k.N_port }, 0, 1},
		"only IPv4":          {conn.SocketFilter{OnlyIPv4: true}, func(k *katraceFilter) uint8 { return k.OnlyV4<<1 | k.OnlyV6 }, 2, 1},
		"only IPv6":          {conn.SocketFilter{OnlyIPv6: true}, func(k *katraceFilter) uint8 { return k.OnlyV4<<1 | k.OnlyV6 }, 1, 1},
		"both, that is: all": {conn.SocketFilter{OnlyIPv4: true, OnlyIPv6: true}, func(k *katraceFilter) uint8 { return k.OnlyV4<<1 | k.OnlyV6 }, 0, 0},
	} {
		k := kernelFilter(&tt.f)
		if got := tt.n(&k); got != tt.want || k.On != tt.wantOn {
			t.Errorf("%s: %d, on %d; want %d, on %d", name, got, k.On, tt.want, tt.wantOn)
		}
	}
	k := kernelFilter(&conn.SocketFilter{Netns: []uint32{7, 8}, Ports: []uint16{1}, LocalPorts: []uint16{2}, RemotePorts: []uint16{3}})
	if k.Netns[1] != 8 || k.Port[0] != 1 || k.LocalPort[0] != 2 || k.RemotePort[0] != 3 {
		t.Errorf("values in the wrong place: %+v", k)
	}
}
