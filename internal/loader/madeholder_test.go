// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"encoding/binary"
	"testing"
)

// Where a made struct socket_alloc, and the files that hold it, lie in the bytes.
const (
	madeSocket = 44 << 10
	madeFile   = 48 << 10
	madeFile2  = 52 << 10
)

// held gives the socket to a file at this place in the bytes, 0: to the kernel.
func (m *made) held(file uint64, inode uint64) {
	m.t.Helper()
	put := func(at uint32, value uint64) { binary.NativeEndian.PutUint64(m.bytes[madeSocket+at:], value) }
	socket := m.offset("socket_alloc", "socket")
	put(m.offset("socket_alloc", "vfs_inode.i_ino"), inode)
	if file != 0 {
		file += m.at
	}
	put(socket+m.offset("socket", "file"), file)
	m.set("sock", "sk_socket", 8, m.at+madeSocket+uint64(socket))
}

// TestHolder: what is remembered of a connection is not whose it was. It is
// accepted after its first probe, taken over (SMC's fallback), and left alone.
func TestHolder(t *testing.T) {
	m := makeSocket(t)
	for n, tt := range []struct {
		name  string
		hold  func()
		inode uint64
		flags uint8
	}{
		{"not accepted yet", func() {}, 0, 0},
		{"the kernel's", func() { m.held(0, 7) }, 7, FlagKernel},
		{"accepted", func() { m.held(madeFile, 8) }, 8, 0},
		{"the same", func() {}, 8, 0},
		{"another file's", func() { m.held(madeFile2, 9) }, 9, 0},
		{"an orphan", func() { m.set("sock", "sk_socket", 8, 0) }, 0, 0},
		{"another file's again", func() { m.held(madeFile2, 9) }, 9, 0},
	} {
		tt.hold()
		m.heard(late, late)
		if r := m.probe(uint8(n + 1)); r.Inode != tt.inode || r.Flags&FlagKernel != tt.flags {
			t.Errorf("%s: inode %d, flags %#x, want %d and %#x", tt.name, r.Inode, r.Flags, tt.inode, tt.flags)
		}
		m.heard(0, 0) // the answer has its owner as well
		got := m.fire(func() {})
		if len(got) != 1 || got[0].Kind != RecordAnswer || got[0].Inode != tt.inode || got[0].Flags&FlagKernel != tt.flags {
			t.Errorf("%s: %+v, want an answer, inode %d", tt.name, got, tt.inode)
		}
	}
}

// TestSamePorts: what is told of an AF_INET6 socket that talks IPv4 is of its own
// segments, by IPv4: by_tuple has it by its addresses, and by which is whose.
func TestSamePorts(t *testing.T) {
	for _, tt := range []struct {
		name    string
		segment []byte
		want    int
	}{
		{"IPv4", header(madeRemote, madeLocal, 40122, 5432, 0), 1},
		{"ports the other way round", header(madeRemote, madeLocal, 5432, 40122, 0), 0},
		{"addresses the other way round", header(madeLocal, madeRemote, 40122, 5432, 0), 0},
		{"another peer", header(madeRouter, madeLocal, 40122, 5432, 0), 0},
		{"by IPv6", header(mapped(madeRemote), mapped(madeLocal), 40122, 5432, 0), 0},
	} {
		m := makeSocket(t)
		m.set("sock_common", "skc_family", 2, 10)
		for field, a := range map[string][16]byte{"skc_v6_rcv_saddr": madeLocal.As16(), "skc_v6_daddr": madeRemote.As16()} {
			copy(m.bytes[m.offset("sock_common", field):], a[:])
		}
		m.heard(late, late)
		m.probe(1)
		m.run(m.coll.Programs[katraceProgTpKfreeSkb], m.segment(tt.segment, nil, nil), 0, 1<<16, 0)
		got := m.records()
		if len(got) != tt.want {
			t.Errorf("%s: %+v, want %d records", tt.name, got, tt.want)
		}
		for _, r := range got {
			if r.Kind != RecordDropped || r.Family != 10 || r.Remote != madeRemote.As16() {
				t.Errorf("%s: %+v, want that a segment of this socket's was dropped", tt.name, r)
			}
		}
	}
}
