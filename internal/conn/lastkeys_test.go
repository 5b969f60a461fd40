// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"katrace/test/fields"
)

// TestLastKeys: a State that differs from the one before in any field has its own keys.
func TestLastKeys(t *testing.T) {
	var last LastKeys
	check := func(what string, s *State) {
		t.Helper()
		for range 2 {
			if got, want := string(last.AppendKeys([]byte("{"), s)), string(s.AppendKeys([]byte("{"))); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
	}
	check("nothing", &State{})
	one, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::2")
	for _, addrs := range [][2]netip.Addr{{one, other}, {one, one}, {other, one}, {{}, one}, {one, {}}, {other, other}, {one, other}} {
		for port := range uint16(2) {
			for inode := range uint64(3) {
				check(fmt.Sprint(addrs, port, inode), &State{Netns: 7, Inode: inode, Family: IPv6, Local: netip.AddrPortFrom(addrs[0], port), Remote: netip.AddrPortFrom(addrs[1], 2-port)})
			}
		}
	}
	var paths int
	fields.Each(&State{}, func(string, reflect.Value) { paths++ })
	for i := range paths {
		var s State
		var changed string
		fields.Each(&s, func(_ string, f reflect.Value) { fields.Set(f, 1) })
		s.Has = HasUID
		s.Pod, s.PodName, s.Host = "0b9e5c1a7d3f4e2b9a612f4c8d7e6a50", "etcd-E2", "a" // a static pod: its workload is "etcd" on the host E2
		check("all", &s)
		n := 0
		fields.Each(&s, func(path string, f reflect.Value) {
			if n++; n == i+1 {
				changed = path
				fields.Set(f, 2)
			}
		})
		check(changed, &s)
		s.Has ^= HasUID
		check(changed+" and HasUID", &s)
	}
}

// TestLastKeysInTurn: whatever comes in turn, a State has its own keys.
func TestLastKeysInTurn(t *testing.T) {
	var last LastKeys
	r := rand.New(rand.NewPCG(1, 1))
	addr := func() netip.Addr {
		if r.IntN(8) == 0 {
			return netip.AddrFrom16([16]byte{0xfd, 15: byte(r.IntN(40))})
		}
		return netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.IntN(40))})
	}
	for range 50_000 {
		s := State{Netns: uint32(r.IntN(2)), Inode: uint64(r.IntN(100)), Family: Family(r.IntN(3)), TCPState: TCPState(r.IntN(3)),
			Local: netip.AddrPortFrom(addr(), uint16(r.IntN(3))), Remote: netip.AddrPortFrom(addr(), uint16(r.IntN(3)))}
		s.Process, s.UID, s.Has = Process{r.IntN(40), strings.Repeat("x", r.IntN(3))}, uint32(r.IntN(2)), Fact(r.IntN(2))*HasUID
		if got, want := string(last.AppendKeys(nil, &s)), string(s.AppendKeys(nil)); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}
