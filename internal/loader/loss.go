// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Lost counts what did not arrive since Open.
type Lost struct {
	Ring   uint64 // the ring buffer was full
	Follow uint64 // the table of followed connections was full: their answers go unseen
	Missed uint64 // the kernel did not run a program: kprobe misses, recursion
}

type lossReader struct {
	ring, follow, unseen *ebpf.Variable
	links                []attached
	gone                 misses // of links that are gone
}

// stop keeps what the links count, for when they are closed.
func (r *lossReader) stop() {
	r.gone = r.misses()
	r.links = nil
}

// Lost reads the counters.
func (t *Tracer) Lost() (Lost, error) { return t.loss.read() }

func (r *lossReader) read() (Lost, error) {
	var l Lost
	if err := r.ring.Get(&l.Ring); err != nil {
		return Lost{}, fmt.Errorf("read the count of lost records: %w", err)
	}
	if err := r.follow.Get(&l.Follow); err != nil {
		return Lost{}, fmt.Errorf("read the count of connections not followed: %w", err)
	}
	var unseen uint64
	if err := r.unseen.Get(&unseen); err != nil {
		return Lost{}, fmt.Errorf("read the count of probes not seen: %w", err)
	}
	// Where the kernel does not count what it skips, the gaps in its own count
	// of probes tell; where it does, they are among those.
	m := r.misses()
	l.Missed = m.others + max(m.firings, unseen)
	return l, nil
}

// misses are programs that the kernel skipped: those that tell of firings, and
// the others.
type misses struct{ firings, others uint64 }

func (r *lossReader) misses() misses {
	m := r.gone
	for _, a := range r.links {
		switch a.hook.at {
		case "tcp_keepalive_timer", "tcp_write_wakeup", "timer_expire_entry", "timer_expire_exit":
			m.firings += a.missed()
		default:
			m.others += a.missed()
		}
	}
	return m
}

// missed is how often the kernel skipped the program. Where the kernel does
// not tell (kprobe misses before 6.7, recursion before 5.12) it counts as 0.
func (a attached) missed() uint64 {
	var n uint64
	if stats, err := a.prog.Stats(); err == nil {
		n += stats.RecursionMisses
	}
	if a.hook.how == byKprobe || a.hook.how == byKretprobe {
		if info, err := a.link.Info(); err == nil {
			if pe := info.PerfEvent(); pe != nil {
				if k := pe.Kprobe(); k != nil {
					n += k.Missed
				}
			}
		}
	}
	return n
}
