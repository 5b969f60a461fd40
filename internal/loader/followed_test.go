// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
)

// follows is a Tracer with a table of its own that follows these sockets.
func follows(t *testing.T, size uint32, sockets ...uint64) (*Tracer, *ebpf.Map) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making maps needs root")
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for _, sk := range sockets {
		if err := m.Put(sk, sk); err != nil {
			t.Fatal(err)
		}
	}
	return &Tracer{coll: &ebpf.Collection{Maps: map[string]*ebpf.Map{katraceMapFollowed: m}}}, m
}

func sockets(n uint64) (all []uint64) {
	for i := range n {
		all = append(all, 0xffff_8881_0000_0000+i*2368)
	}
	return all
}

func always() bool { return true }

func TestFollowed(t *testing.T) {
	for _, n := range []uint64{0, 1, 1000} {
		want := sockets(n)
		tracer, _ := follows(t, 1000, want...)
		got, err := tracer.Followed(always)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d sockets: %d are listed: %v", n, len(got), err)
		}
		if got := tracer.FollowSize(); got != 1000 {
			t.Errorf("there is room for %d, want 1000", got)
		}
	}
}

// TestFollowedWhileTheyEnd: the key by which the kernel finds the next one may have
// gone. It begins again, and none that is there is left out.
func TestFollowedWhileTheyEnd(t *testing.T) {
	all := sockets(1000)
	tracer, m := follows(t, 1000, all...)
	n := 0
	got, err := tracer.Followed(func() bool {
		if n++; n%100 == 0 { // one of those that were listed, or that come next
			if err := m.Delete(all[n]); err != nil {
				t.Fatal(err)
			}
			all[n] = 0
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sk := range all {
		if sk != 0 && !slices.Contains(got, sk) {
			t.Errorf("socket %#x is there and is not listed", sk)
		}
	}
}

func TestFollowedEnds(t *testing.T) {
	tracer, m := follows(t, 1000, sockets(100)...)
	if got, err := tracer.Followed(func() bool { return false }); err == nil {
		t.Errorf("it was stopped, and lists %d sockets", len(got))
	}
	// Each time the key that was listed goes, and the one before comes back: the kernel
	// always begins again.
	head := func() (key uint64) {
		if err := m.NextKey(nil, &key); err != nil {
			t.Fatal(err)
		}
		return key
	}
	at, before := head(), uint64(0)
	got, err := tracer.Followed(func() bool {
		if before != 0 {
			if err := m.Put(before, before); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Delete(at); err != nil {
			t.Fatal(err)
		}
		at, before = head(), at
		return true
	})
	if err == nil {
		t.Errorf("it lists %d sockets of 100", len(got))
	}
}
