// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// made is a TCP socket made of bytes in a map, for the tracepoint backend's
// programs to be run on (BPF_PROG_TEST_RUN): what takes weeks on a real socket is
// a stamp here. The programs, and the kernel's layout of the socket, are the real ones.
type made struct {
	t       testing.TB
	types   *btf.Spec
	coll    *ebpf.Collection
	options Options
	ring    *ring
	memory  *ebpf.Map
	bytes   []byte
	at      uint64 // address of the bytes in the kernel
	jiffies *ebpf.Program
	timer   uint32 // offset of the keepalive timer
}

// Where things lie in the bytes.
const (
	madeSock = 0
	madeNet  = 16 << 10
	madeSize = 64 << 10
)

const (
	madeIdle  = 60_000 // jiffies
	madeIntvl = 10_000
)

// makeSocket makes an idle connection with keepalive on.
func makeSocket(t testing.TB) *made {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	types, err := KernelTypes("")
	if err != nil {
		t.Fatal(err)
	}
	m := (&made{t: t, types: types, bytes: make([]byte, madeSize)}).with(&Options{})
	if m.memory, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: madeSize, MaxEntries: 1, Flags: unix.BPF_F_MMAPABLE}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.memory.Close() })
	// A program that writes its map's address into the map.
	where := m.program(
		asm.LoadMapValue(asm.R1, m.memory.FD(), 0),
		asm.LoadMapValue(asm.R2, m.memory.FD(), madeSize-8),
		asm.StoreMem(asm.R2, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	)
	m.run(where)
	m.load()
	m.at = binary.NativeEndian.Uint64(m.bytes[madeSize-8:])
	m.jiffies = m.program(
		asm.FnJiffies64.Call(),
		asm.LoadMapValue(asm.R1, m.memory.FD(), madeSize-8),
		asm.StoreMem(asm.R1, 0, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	)
	clear(m.bytes)
	addr, err := functionAddress("tcp_keepalive_timer")
	if err != nil {
		t.Fatal(err)
	}
	timer, ok := offsetOf(types, "inet_connection_sock", "icsk_keepalive_timer")
	if !ok {
		timer = m.offset("sock", "sk_timer")
	}
	m.timer = timer
	binary.NativeEndian.PutUint64(m.bytes[madeSock+timer+m.offset("timer_list", "function"):], addr)
	m.set("sock_common", "skc_family", 2, 2)
	m.set("sock_common", "skc_state", 1, 1)
	m.set("sock_common", "skc_num", 2, 5432)
	m.set("sock_common", "skc_flags", 8, 1<<3) // SOCK_KEEPOPEN
	m.set("sock_common", "skc_net", 8, m.at+madeNet)
	m.set("tcp_sock", "keepalive_time", 4, madeIdle)
	m.set("tcp_sock", "keepalive_intvl", 4, madeIntvl)
	m.set("tcp_sock", "keepalive_probes", 1, 6)
	m.peer(40122)
	return m
}

// with is the same socket for programs of their own.
func (m *made) with(o *Options) *made {
	m.t.Helper()
	also := *m
	also.options = *o
	var err error
	if also.coll, _, err = load(Tracepoint, o, hooksOf(Tracepoint, o), m.types); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(also.coll.Close)
	if also.ring, err = openRing(also.coll.Maps[katraceMapRing]); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(also.ring.close)
	return &also
}

func (m *made) program(ins ...asm.Instruction) *ebpf.Program {
	m.t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, License: "Dual BSD/GPL", Instructions: ins})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = p.Close() })
	return p
}

// run runs a program with a tracepoint's arguments, always on the same processor.
func (m *made) run(p *ebpf.Program, args ...uint64) {
	m.t.Helper()
	m.runOn(0, p, args...)
}

func (m *made) runOn(cpu uint32, p *ebpf.Program, args ...uint64) {
	m.t.Helper()
	ctx := make([]byte, 0, 32)
	for _, a := range args {
		ctx = binary.NativeEndian.AppendUint64(ctx, a)
	}
	opts := &ebpf.RunOptions{Flags: 1, CPU: cpu} // BPF_F_TEST_RUN_ON_CPU
	if len(ctx) > 0 {
		opts.Context = ctx
	}
	if _, err := p.Run(opts); err != nil {
		m.t.Fatal(err)
	}
}

func (m *made) offset(of, field string) uint32 {
	m.t.Helper()
	at, ok := offsetOf(m.types, of, field)
	if !ok {
		m.t.Fatalf("no field %s in struct %s", field, of)
	}
	return at
}

// offsetOf is where a field lies in a struct, "a.b" in a struct in it.
func offsetOf(types *btf.Spec, of, field string) (uint32, bool) {
	var s *btf.Struct
	if types.TypeByName(of, &s) != nil {
		return 0, false
	}
	at, members := uint32(0), s.Members
	for name := range strings.SplitSeq(field, ".") {
		var found bool
		at, members, found = member(at, members, name)
		if !found {
			return 0, false
		}
	}
	return at, true
}

func member(at uint32, members []btf.Member, name string) (uint32, []btf.Member, bool) {
	for _, m := range members {
		var inner []btf.Member
		switch u := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			inner = u.Members
		case *btf.Union:
			inner = u.Members
		}
		if m.Name == name {
			return at + m.Offset.Bytes(), inner, true
		}
		if m.Name == "" {
			if at, inner, ok := member(at+m.Offset.Bytes(), inner, name); ok {
				return at, inner, true
			}
		}
	}
	return 0, nil, false
}

// set sets a field of the socket, in memory of ours.
func (m *made) set(of, field string, size int, value uint64) {
	m.t.Helper()
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], value)
	copy(m.bytes[madeSock+m.offset(of, field):], b[:size])
}

// peer makes the socket another connection's, of which the kernel has another hash.
func (m *made) peer(port uint16) {
	m.t.Helper()
	m.set("sock_common", "skc_hash", 4, uint64(port))
	m.set("sock_common", "skc_dport", 2, uint64(port>>8|port<<8))
}

// heard sets when the last ACK and the last data came, in jiffies before now.
func (m *made) heard(ack, data uint32) {
	m.t.Helper()
	m.run(m.jiffies)
	m.load()
	now := binary.NativeEndian.Uint32(m.bytes[madeSize-8:])
	m.set("tcp_sock", "rcv_tstamp", 4, uint64(now-ack))
	m.set("inet_connection_sock", "icsk_ack.lrcvtime", 4, uint64(now-data))
	m.store()
}

// probes sets the kernel's count of probes out.
func (m *made) probes(n uint8) {
	m.t.Helper()
	m.set("inet_connection_sock", "icsk_probes_out", 1, uint64(n))
	m.store()
}

func (m *made) store() {
	m.t.Helper()
	if err := m.memory.Put(uint32(0), m.bytes); err != nil {
		m.t.Fatal(err)
	}
}

// load keeps what is ours and takes what programs wrote.
func (m *made) load() {
	m.t.Helper()
	got, err := m.memory.LookupBytes(uint32(0))
	if err != nil {
		m.t.Fatal(err)
	}
	copy(m.bytes[madeSize-8:], got[madeSize-8:])
}

// probe lets the timer fire and send probe number n, whether the connection is
// idle long enough or not: an answer then has a record before the probe's, whose
// flags are added.
func (m *made) probe(n uint8) Record {
	m.t.Helper()
	m.probes(n - 1)
	m.run(m.coll.Programs[katraceProgTpTimerExpireEntry], m.at+uint64(m.timer))
	m.probes(n)
	m.run(m.coll.Programs[katraceProgTpTimerExpireExit], m.at+uint64(m.timer))
	var r Record
	answered := uint8(0)
	for _, r = range m.records() {
		if r.Kind == RecordAnswer {
			answered = r.Flags
		}
	}
	if r.Kind != RecordProbe {
		m.t.Fatalf("probe %d: the last record is %+v, want a probe's", n, r)
	}
	r.Flags |= answered
	return r
}

// fire lets the timer fire and send nothing, with what happens in between.
func (m *made) fire(between func()) []Record {
	m.t.Helper()
	m.store()
	m.run(m.coll.Programs[katraceProgTpTimerExpireEntry], m.at+uint64(m.timer))
	between()
	m.run(m.coll.Programs[katraceProgTpTimerExpireExit], m.at+uint64(m.timer))
	return m.records()
}

// records are those that have come.
func (m *made) records() (all []Record) {
	m.t.Helper()
	m.ring.setDeadline(time.Unix(1, 0))
	for {
		var r Record
		err := m.ring.next(func(raw []byte) error { return decode(raw, &r) })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			m.t.Fatal(err)
		}
		all = append(all, r)
	}
}
