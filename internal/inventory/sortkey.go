// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
)

// sorted are the sockets in the order of byAddresses. Nearly all of them differ in
// their keys: a comparison that looks at the sockets themselves, half a kilobyte each,
// waits for the memory.
func sorted(sockets []Socket) []*Socket {
	keys := make([]sortKey, len(sockets))
	spread(len(keys), func(from, to int) {
		for i := from; i < to; i++ {
			keys[i].set(&sockets[i])
		}
	})
	half := len(keys) / 2
	var wg sync.WaitGroup
	wg.Go(func() { slices.SortFunc(keys[:half], sortKey.compare) })
	slices.SortFunc(keys[half:], sortKey.compare)
	wg.Wait()
	rows := make([]*Socket, 0, len(keys))
	a, b := keys[:half], keys[half:]
	for len(a) > 0 && len(b) > 0 {
		first := &a
		if b[0].compare(a[0]) < 0 {
			first = &b
		}
		rows, *first = append(rows, (*first)[0].of), (*first)[1:]
	}
	for _, k := range append(a[:len(a):len(a)], b...) {
		rows = append(rows, k.of)
	}
	return rows
}

// byAddresses orders sockets by network namespace, local and remote address, and
// those that share a port (SO_REUSEPORT) by inode number: a list that is made again
// has them in the same order.
func byAddresses(a, b *Socket) int {
	if c := cmp.Compare(a.Netns, b.Netns); c != 0 {
		return c
	}
	if c := a.Local.Compare(b.Local); c != 0 {
		return c
	}
	if c := a.Remote.Compare(b.Remote); c != 0 {
		return c
	}
	return cmp.Compare(a.Inode, b.Inode)
}

// sortKey is a socket, with the beginning of what byAddresses compares: where the
// words of two differ, the first that does gives the same order.
type sortKey struct {
	words [4]uint64
	of    *Socket
}

func (k sortKey) compare(with sortKey) int {
	for i := range k.words {
		if k.words[i] != with.words[i] {
			return cmp.Compare(k.words[i], with.words[i])
		}
	}
	return byAddresses(k.of, with.of)
}

// set makes the words of the network namespace and the local address, and of what of
// the port and the remote address has room. As netip.Addr.Compare has it, an address
// that is absent comes first, then IPv4. Where the remote one is absent, zeros are.
func (k *sortKey) set(s *Socket) {
	k.of = s
	local, remote, port := s.Local.Addr(), s.Remote.Addr(), uint64(s.Local.Port())
	k.words[0] = uint64(s.Netns)<<32 | uint64(local.BitLen())
	switch {
	case local.Is4():
		k.words[1] = high(local)<<32 | port<<16 | uint64(remote.BitLen())
		if remote.Is4() {
			k.words[2] = high(remote)<<32 | uint64(s.Remote.Port())
		}
	case local.Is6():
		a := local.As16()
		k.words[1], k.words[2] = binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
		k.words[3] = port<<48 | uint64(remote.BitLen())<<40
		if remote.Is6() {
			a := remote.As16()
			k.words[3] |= binary.BigEndian.Uint64(a[:8]) >> 24
		}
	}
}

// high is an IPv4 address as a number.
func high(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(binary.BigEndian.Uint32(b[:]))
}
