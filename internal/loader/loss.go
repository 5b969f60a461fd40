// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Lost counts what did not arrive.
type Lost struct {
	Ring    uint64 // records: the ring buffer was full
	Missed  uint64 // firings of the keepalive timer that no program told of
	Follow  uint64 // records of connections for which a table was full (Options.Follow): their answers, or their end, go unseen
	Memory  uint64 // the same, and the kernel had no memory for the table at once
	Tuple   uint64 // connections that ICMP errors and drops cannot be matched to, for either reason
	Disk    uint64 // lines that the log file did not take; who writes it counts them
	Unknown uint64 // of a kind that a later version counts and this one does not know: in recordings alone
	Skipped Skipped
}

// Skipped counts the runs of other programs that the kernel skipped, by what
// they tell of: on the whole system, of any connection.
type Skipped struct {
	PeerReset uint64 // RST received
	Closed    uint64 // ends of connections
	ICMP      uint64 // ICMP errors
	Probed    uint64 // the peer's probes
	Enabled   uint64 // SO_KEEPALIVE switched on
	Answer    uint64 // with ExactRTT: segments received while a probe was out
	Dropped   uint64 // packets dropped, for whatever reason; from 6.11 on the peer's probes are among them
}

// Total is the number of all that is lost.
func (l Lost) Total() uint64 {
	return l.Ring + l.Missed + l.Follow + l.Memory + l.Tuple + l.Disk + l.Unknown + l.Skipped.Total()
}

// Total is the number of all that is skipped.
func (s Skipped) Total() uint64 {
	return s.PeerReset + s.Closed + s.ICMP + s.Probed + s.Enabled + s.Answer + s.Dropped
}

// Since is what was lost after an earlier reading.
func (l Lost) Since(was Lost) Lost {
	s, w := l.Skipped, was.Skipped
	return Lost{l.Ring - was.Ring, l.Missed - was.Missed, l.Follow - was.Follow, l.Memory - was.Memory, l.Tuple - was.Tuple, l.Disk - was.Disk, l.Unknown - was.Unknown,
		Skipped{s.PeerReset - w.PeerReset, s.Closed - w.Closed, s.ICMP - w.ICMP, s.Probed - w.Probed, s.Enabled - w.Enabled, s.Answer - w.Answer, s.Dropped - w.Dropped}}
}

// Plus is the sum of both.
func (l Lost) Plus(m Lost) Lost {
	s, w := l.Skipped, m.Skipped
	return Lost{l.Ring + m.Ring, l.Missed + m.Missed, l.Follow + m.Follow, l.Memory + m.Memory, l.Tuple + m.Tuple, l.Disk + m.Disk, l.Unknown + m.Unknown,
		Skipped{s.PeerReset + w.PeerReset, s.Closed + w.Closed, s.ICMP + w.ICMP, s.Probed + w.Probed, s.Enabled + w.Enabled, s.Answer + w.Answer, s.Dropped + w.Dropped}}
}

type lossReader struct {
	vars  map[string]*ebpf.Variable
	links []attached
	// What was passed, whether programs ran or not; nil: cannot be had here.
	firings, resets *witness
	last            Lost // after stop: for good
	stopped         bool
}

// stop takes the last reading, while everything is still attached.
func (r *lossReader) stop() {
	if l, err := r.read(); err == nil {
		r.last = l
	}
	r.stopped = true
	r.close()
}

func (r *lossReader) close() {
	r.firings.close()
	r.resets.close()
	r.firings, r.resets, r.links = nil, nil, nil
}

// Lost reads the counters: what was lost since Open.
func (t *Tracer) Lost() (Lost, error) { return t.loss.read() }

func (r *lossReader) read() (Lost, error) {
	var l Lost
	var unseen uint64
	for name, to := range map[string]*uint64{
		katraceVarLostRing: &l.Ring, katraceVarLostFollow: &l.Follow, katraceVarLostMemory: &l.Memory, katraceVarLostTuple: &l.Tuple,
		katraceVarLostUnseen: &unseen,
	} {
		if err := r.vars[name].Get(to); err != nil {
			return Lost{}, fmt.Errorf("read the counter %s: %w", name, err)
		}
	}
	if r.stopped {
		l.Missed, l.Skipped = r.last.Missed, r.last.Skipped
		return l, nil
	}
	firings, err := r.firings.read()
	if err != nil {
		return Lost{}, fmt.Errorf("count firings: %w", err)
	}
	resets, err := r.resets.read()
	if err != nil {
		return Lost{}, fmt.Errorf("count RST received: %w", err)
	}
	// One firing passes several hooks, and each way of counting knows the same
	// firings: none is added to another.
	l.Missed, l.Skipped.PeerReset = max(firings, unseen), resets
	for _, a := range r.links {
		n, to := a.missed(), l.of(a.hook)
		*to = max(*to, n)
	}
	return l, nil
}

// of is where the hook's missed runs are counted.
func (l *Lost) of(h hook) *uint64 {
	switch h.at {
	case "tcp_receive_reset", "tcp_reset":
		return &l.Skipped.PeerReset
	case "inet_sock_set_state":
		return &l.Skipped.Closed
	case "tcp_v4_err", "tcp_v6_err":
		return &l.Skipped.ICMP
	case "tcp_send_dupack":
		return &l.Skipped.Probed
	case "kfree_skb":
		return &l.Skipped.Dropped
	case "tcp_set_keepalive":
		return &l.Skipped.Enabled
	case "tcp_probe":
		return &l.Skipped.Answer
	}
	return &l.Missed // the timer, and what it calls
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
