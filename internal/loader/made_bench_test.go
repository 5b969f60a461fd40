// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// BenchmarkPrograms is the time inside the tracepoint backend's two programs, by the
// kernel's statistics, where all that they touch is in the processor's caches: on one made
// socket, again and again. (ns/op is the benchmark's own work.) "other timer" is what the
// statistics themselves take, and two looks at whose timer it is. Where the reader has read
// all, a record wakes it: an interrupt of the processor's own (irq_work_queue).
func BenchmarkPrograms(b *testing.B) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	for _, work := range []struct {
		name   string
		timer  uint64 // from the socket's own
		heard  uint32 // jiffies ago
		probes byte   // out when the firing is over
		behind int    // firings until the reader reads
	}{
		{"other timer", madeNet, late, 0, 1},
		{"no probe", 0, 1, 0, 1},
		{"probe, the reader is behind", 0, late, 1, 10_000},
		{"probe, it wakes the reader", 0, late, 1, 1},
	} {
		b.Run(work.name, func(b *testing.B) {
			m := makeSocket(b)
			m.addresses()
			m.heard(work.heard, work.heard)
			memory, err := m.memory.Memory()
			if err != nil {
				b.Fatal(err)
			}
			probes := int64(madeSock + m.offset("inet_connection_sock", "icsk_probes_out"))
			set := func(n byte) {
				if _, err := memory.WriteAt([]byte{n}, probes); err != nil {
					b.Fatal(err)
				}
			}
			entry, exit := m.coll.Programs[katraceProgTpTimerExpireEntry], m.coll.Programs[katraceProgTpTimerExpireExit]
			timer := m.at + uint64(m.timer) + work.timer
			fired := 0
			fire := func() {
				set(0)
				m.run(entry, timer)
				set(work.probes)
				m.run(exit, timer)
				if fired++; fired%work.behind == 0 {
					m.records()
				}
			}
			for range 1000 {
				fire()
			}
			before := inside(b, entry) + inside(b, exit)
			for b.Loop() {
				fire()
			}
			b.ReportMetric(float64(inside(b, entry)+inside(b, exit)-before)/float64(b.N), "inside-ns/op")
		})
	}
}

// inside is the time in a program since it was loaded.
func inside(b *testing.B, p *ebpf.Program) time.Duration {
	b.Helper()
	s, err := p.Stats()
	if err != nil {
		b.Fatal(err)
	}
	return s.Runtime
}
