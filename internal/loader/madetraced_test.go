// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
)

// traced is one of the programs that take a function's parameters from an array
// (fentry, fexit), as a raw tracepoint's: so it runs on a made socket, also where
// the kernel has no fentry. It shares the maps.
func (m *made) traced(name string) *ebpf.Program {
	m.t.Helper()
	spec, err := object()
	if err != nil {
		m.t.Fatal(err)
	}
	p := spec.Programs[name]
	p.Type, p.AttachType, p.AttachTo, p.KernelVersion = ebpf.RawTracepoint, 0, "", 1
	spec.Programs = map[string]*ebpf.ProgramSpec{name: p}
	setSizes(spec, &m.options, m.types)
	var direct uint8
	if err := m.coll.Variables[katraceVarDirectReads].Get(&direct); err != nil {
		m.t.Fatal(err)
	}
	if direct == 0 { // and the parameters have no types
		withoutCasts(spec)
		if err := spec.Variables[katraceVarTypedReads].Set(uint8(0)); err != nil {
			m.t.Fatal(err)
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{KernelTypes: m.types}, Cache: KernelBTF(), MapReplacements: m.coll.Maps,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(coll.Close)
	return coll.Programs[name]
}

// firing is what the programs keep of processor 0.
func (m *made) firing() katraceFiring {
	m.t.Helper()
	var all []katraceFiring
	if err := m.coll.Maps[katraceMapFirings].Lookup(uint32(0), &all); err != nil {
		m.t.Fatal(err)
	}
	return all[0]
}

// entry is what is remembered of the connection.
func (m *made) entry() (f katraceFollow) {
	m.t.Helper()
	if err := m.coll.Maps[katraceMapFollowed].Lookup(m.at+madeSock, &f); err != nil {
		m.t.Fatal(err)
	}
	return f
}

// Where a made segment lies in the bytes.
const (
	madeSkb     = 32 << 10
	madeDevice  = 36 << 10
	madeSegment = 40 << 10
	outerAt     = 0   // IP header
	icmpAt      = 64  // type, code
	innerAt     = 128 // IP header, TCP header
)

// Of the made connection, seen from its socket.
var (
	madeLocal  = netip.MustParseAddr("10.0.0.1")
	madeRemote = netip.MustParseAddr("10.0.0.9")
	madeRouter = netip.MustParseAddr("10.0.0.254")
)

func mapped(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }

// addresses gives the socket its IPv4 addresses.
func (m *made) addresses() {
	m.t.Helper()
	m.set("sock_common", "skc_rcv_saddr", 4, uint64(binary.NativeEndian.Uint32(madeLocal.AsSlice())))
	m.set("sock_common", "skc_daddr", 4, uint64(binary.NativeEndian.Uint32(madeRemote.AsSlice())))
}

// segment makes a struct sk_buff with what lies at the three places, and returns
// its address.
func (m *made) segment(outer, icmp, inner []byte) uint64 {
	m.t.Helper()
	put := func(at uint32, value uint64, size int) {
		var b [8]byte
		binary.NativeEndian.PutUint64(b[:], value)
		copy(m.bytes[at:], b[:size])
	}
	clear(m.bytes[madeSegment:][:1024])
	copy(m.bytes[madeSegment+outerAt:], outer)
	copy(m.bytes[madeSegment+icmpAt:], icmp)
	copy(m.bytes[madeSegment+innerAt:], inner)
	put(madeSkb+m.offset("sk_buff", "head"), m.at+madeSegment, 8)
	put(madeSkb+m.offset("sk_buff", "data"), m.at+madeSegment+innerAt, 8)
	put(madeSkb+m.offset("sk_buff", "network_header"), outerAt, 2)
	put(madeSkb+m.offset("sk_buff", "transport_header"), icmpAt, 2)
	put(madeSkb+m.offset("sk_buff", "dev"), m.at+madeDevice, 8)
	put(madeDevice+m.offset("net_device", "nd_net"), m.at+madeNet, 8)
	m.store()
	return m.at + madeSkb
}

// header is an IP header, of IPv6 where the addresses are, and of TCP the ports and
// the sequence number that follow it.
func header(from, to netip.Addr, fromPort, toPort uint16, seq uint32) (b []byte) {
	if from.Is4() {
		b = append(b, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0, 0, 20, 6, 64)
	}
	b = append(b, from.AsSlice()...)
	b = append(b, to.AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, fromPort)
	b = binary.BigEndian.AppendUint16(b, toPort)
	return binary.BigEndian.AppendUint32(b, seq)
}

// silent sends a probe to a peer that was not heard for long, at addresses.
func silent(t *testing.T) *made {
	m := makeSocket(t)
	m.addresses()
	m.heard(late, late)
	m.probe(1)
	return m
}

// TestICMP: an error is told that quotes a probe; not one that comes by IPv6 and
// quotes the IPv4 connection's addresses as IPv4-mapped ones.
func TestICMP(t *testing.T) {
	m := silent(t)
	probe := ^uint32(0) // SND.UNA-1
	outer := header(madeRouter, madeLocal, 0, 0, 0)
	skb := m.segment(outer, []byte{3, 1}, header(madeLocal, madeRemote, 5432, 40122, probe))
	m.run(m.traced(katraceProgFentryV4Err), skb, 0)
	got := m.records()
	if len(got) != 1 || got[0].Kind != RecordICMP || got[0].IcmpType != 3 || got[0].IcmpCode != 1 || netip.AddrFrom4([4]byte(got[0].From[:4])) != madeRouter {
		t.Errorf("by IPv4: %+v, want one error, from %s", got, madeRouter)
	}

	outer = header(mapped(madeRouter), mapped(madeLocal), 0, 0, 0)
	skb = m.segment(outer, []byte{1, 0}, header(mapped(madeLocal), mapped(madeRemote), 5432, 40122, probe))
	m.run(m.traced(katraceProgFentryV6Err), skb, 0, 1, 0, 40)
	if got := m.records(); len(got) > 0 {
		t.Errorf("by IPv6: %+v, want nothing", got)
	}
}

// TestDropMapped: the same of a segment that this host drops.
func TestDropMapped(t *testing.T) {
	m := silent(t)
	const reason = 1 << 16 // of a subsystem's: none that is known here
	drop := func(segment []byte) []Record {
		m.run(m.coll.Programs[katraceProgTpKfreeSkb], m.segment(segment, nil, nil), 0, reason, 0)
		return m.records()
	}
	if got := drop(header(mapped(madeRemote), mapped(madeLocal), 40122, 5432, 0)); len(got) > 0 {
		t.Errorf("by IPv6: %+v, want nothing", got)
	}
	if got := drop(header(madeRemote, madeLocal, 40122, 5432, 0)); len(got) != 1 || got[0].Kind != RecordDropped {
		t.Errorf("by IPv4: %+v, want that it was dropped", got)
	}
}

// TestICMPApart: an ICMP error may come while the timer makes a record on the same
// processor (PREEMPT_RT), and leaves that one alone.
func TestICMPApart(t *testing.T) {
	m := silent(t)
	was := m.firing().Made
	skb := m.segment(header(madeRouter, madeLocal, 0, 0, 0), []byte{3, 1}, header(madeLocal, madeRemote, 5432, 40122, ^uint32(0)))
	m.run(m.traced(katraceProgFentryV4Err), skb, 0)
	if len(m.records()) == 0 {
		t.Fatal("no ICMP error is told: this test shows nothing")
	}
	if now := m.firing().Made; now != was {
		t.Errorf("the timer's record was\n%+v and is\n%+v", was, now)
	}
}

// TestWakeupSkipped: where the kernel skipped the kprobes of a firing, its probe is
// not told, for the firing counts as missed.
func TestWakeupSkipped(t *testing.T) {
	m := makeSocket(t)
	m.heard(late, late)
	end := m.traced(katraceProgKprobeWriteWakeupEnd)
	m.run(end, m.at, 0, 0)
	if got := m.records(); len(got) > 0 {
		t.Errorf("without the kprobe: %+v, want nothing", got)
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	all := make([]katraceFiring, cpus)
	all[0].Wakeups = 1
	if err := m.coll.Maps[katraceMapFirings].Put(uint32(0), all); err != nil {
		t.Fatal(err)
	}
	m.run(end, m.at, 0, 0)
	if got := m.records(); len(got) != 1 || got[0].Kind != RecordProbe || got[0].Probes != 1 {
		t.Errorf("%+v, want the first probe", got)
	}
	if left := m.firing().Wakeups; left != 0 {
		t.Errorf("%d calls are under way still", left)
	}
}
