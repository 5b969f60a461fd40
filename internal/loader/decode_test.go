// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// rawRecord is a record's bytes, each of another value.
func rawRecord(n int) []byte {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(i + 1)
	}
	return raw
}

func TestDecode(t *testing.T) {
	var r Record
	if err := decode(rawRecord(recordSize), &r); err != nil {
		t.Fatal(err)
	}
	if want := binary.LittleEndian.Uint64(rawRecord(8)); r.Time != want || r.IcmpCode == 0 || r.From[0] != byte(shortSize+1) {
		t.Errorf("a long record: time %x, ICMP code %d, from %d; want %x, not 0, %d", r.Time, r.IcmpCode, r.From, want, shortSize+1)
	}
	if r.Symbol[0] != byte(longSize+1) {
		t.Errorf("a record about the kernel's own socket: symbol from %d, want %d", r.Symbol, byte(longSize+1))
	}
	if err := decode(rawRecord(longSize), &r); err != nil {
		t.Fatal(err)
	}
	if r.IcmpCode == 0 || r.Symbol != [64]byte{} {
		t.Errorf("a long record: ICMP code %d, symbol %d; want not 0, and none", r.IcmpCode, r.Symbol)
	}
	if err := decode(rawRecord(shortSize), &r); err != nil {
		t.Fatal(err)
	}
	if r.Reason != byte(shortSize) {
		t.Errorf("a short record's last field: %d, want %d", r.Reason, byte(shortSize))
	}
	if r.From != [16]byte{} || r.Comm != [16]byte{} || r.Pid != 0 || r.IcmpType != 0 || r.IcmpCode != 0 {
		t.Errorf("a short record leaves what the long one before it had: %+v", r)
	}
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, shortSize - 1, shortSize, shortSize + 1, longSize, recordSize, recordSize + 1, 4096} {
		f.Add(rawRecord(n))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var was Record
		was.Time = 42
		r := was
		err := decode(raw, &r)
		switch fits := len(raw) == shortSize || len(raw) == longSize || len(raw) == recordSize; {
		case fits && err != nil:
			t.Fatalf("%d bytes: %v", len(raw), err)
		case !fits && (err == nil || !strings.Contains(err.Error(), "bytes") || r != was):
			t.Fatalf("%d bytes: %v, record %+v; want an error and the record untouched", len(raw), err, r)
		case fits:
			// The fields hold the very bytes.
			var out bytes.Buffer
			if err := binary.Write(&out, binary.NativeEndian, r.Remote); err != nil || !bytes.Contains(raw, out.Bytes()) {
				t.Fatalf("remote %v is not among the bytes (%v)", r.Remote, err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := rawRecord(shortSize)
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(raw, &r); err != nil {
			b.Fatal(err)
		}
	}
}
