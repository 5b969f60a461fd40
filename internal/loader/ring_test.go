// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// ringed is a ring buffer of a page, and a program that writes a record into it: a
// number that grows, at its beginning and its end.
type ringed struct {
	t    *testing.T
	ring *ring
	prog *ebpf.Program
}

// ringRecord is how long a record is: none of its multiples, with their headers, is
// a page.
const ringRecord = 200

func newRinged(t *testing.T) *ringed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	count, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = count.Close() })
	ins := asm.Instructions{
		asm.LoadMapValue(asm.R1, count.FD(), 0),
		asm.LoadMem(asm.R2, asm.R1, 0, asm.DWord),
		asm.Add.Imm(asm.R2, 1),
		asm.StoreMem(asm.R1, 0, asm.R2, asm.DWord),
	}
	for at := int16(8); at <= ringRecord; at += 8 {
		ins = append(ins, asm.StoreMem(asm.RFP, -at, asm.R2, asm.DWord))
	}
	ins = append(ins,
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -ringRecord),
		asm.Mov.Imm(asm.R3, ringRecord), asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.Mov.Imm(asm.R0, 0), asm.Return())
	r := &ringed{t: t}
	if r.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, Instructions: ins, License: "GPL"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.prog.Close() })
	if r.ring, err = openRing(m); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ring.close)
	return r
}

func (r *ringed) write(n int) {
	r.t.Helper()
	for range n {
		if _, err := r.prog.Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
			r.t.Error(err)
		}
	}
}

// next is the next record's number.
func (r *ringed) next() (n uint64, err error) {
	r.t.Helper()
	err = r.ring.next(func(raw []byte) error {
		if len(raw) != ringRecord {
			r.t.Fatalf("a record of %d bytes, want %d", len(raw), ringRecord)
		}
		n = binary.NativeEndian.Uint64(raw)
		if last := binary.NativeEndian.Uint64(raw[ringRecord-8:]); last != n {
			r.t.Fatalf("a record begins with %d and ends with %d", n, last)
		}
		return nil
	})
	return n, err
}

// TestRing: records come whole and in order, also those that begin at the end of the
// buffer and end at its beginning.
func TestRing(t *testing.T) {
	r := newRinged(t)
	const rounds, each = 200, 7
	var want uint64
	for range rounds {
		r.write(each)
		for range each {
			want++
			if n, err := r.next(); n != want || err != nil {
				t.Fatalf("record %d: %v; want %d", n, err, want)
			}
		}
	}
	r.ring.setDeadline(time.Unix(1, 0))
	if _, err := r.next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the ring is empty and the deadline over: %v", err)
	}
	r.write(1)
	if n, err := r.next(); n != want+1 || err != nil {
		t.Errorf("record %d: %v; want %d although the deadline is over", n, err, want+1)
	}
}

// TestRingMakesRoom: what has been read makes room while there is more to read.
func TestRingMakesRoom(t *testing.T) {
	r := newRinged(t)
	whole := os.Getpagesize()/(ringHeader+ringRecord) - 1 // one byte remains free
	r.write(whole + 1)
	for want := range uint64(whole) - 4 {
		if n, err := r.next(); n != want+1 || err != nil {
			t.Fatalf("record %d: %v; want %d", n, err, want+1)
		}
	}
	r.write(whole / 2)
	r.ring.setDeadline(time.Unix(1, 0))
	var last uint64
	for range 4 + 1 + whole/2 {
		n, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		last = n
	}
	if want := uint64(whole + 1 + whole/2); last != want {
		t.Errorf("the last record is %d, want %d: there was no room", last, want)
	}
}

// TestRingWaits: what comes while it is waited for is had, and a wake ends a wait
// once all there is was read, whichever came first.
func TestRingWaits(t *testing.T) {
	r := newRinged(t)
	for want := uint64(1); want <= 50; want++ {
		go r.write(1)
		if n, err := r.next(); n != want || err != nil {
			t.Fatalf("record %d: %v; want %d", n, err, want)
		}
	}
	for range 50 {
		r.ring.setDeadline(time.Time{})
		go r.ring.wake()
		if _, err := r.next(); !errors.Is(err, ErrFlushed) {
			t.Fatalf("woken: %v", err)
		}
	}
	r.ring.wake()
	r.write(2)
	r.ring.setDeadline(time.Time{}) // does not undo it
	for want := uint64(51); want <= 52; want++ {
		if n, err := r.next(); n != want || err != nil {
			t.Fatalf("record %d: %v; want %d", n, err, want)
		}
	}
	if _, err := r.next(); !errors.Is(err, ErrFlushed) {
		t.Fatalf("woken before: %v", err)
	}
}
