// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// late is more jiffies than pass between two lines of a test.
const late = 120_000

// spans are jiffies since something came, over the whole range of the kernel's
// 32-bit stamps: 2^31 is 24.9 days at HZ 1000. What is nearer to 2^32 than late
// would wrap in the midst of a test.
func spans() []uint32 {
	all := []uint32{0, 1, 1000, madeIdle, madeIdle + 1, 1<<31 - late, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<31 + 5000, 1<<32 - 2*late}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		all = append(all, random.Uint32N(1<<32-2*late))
	}
	return all
}

// TestElapsed: how long the peer has been silent is the shorter of two unsigned
// spans (keepalive_time_elapsed), and whether it was heard since the last probe
// goes by it, whatever the age of the other stamp.
func TestElapsed(t *testing.T) {
	m := makeSocket(t)
	for _, ack := range spans() {
		for _, data := range spans() {
			want := min(ack, data)
			m.heard(ack, data)
			r := m.probe(1)
			if off := r.IdleFor - want; off > late {
				t.Errorf("last ACK %d, last data %d jiffies ago: idle for %d, want %d", ack, data, r.IdleFor, want)
			}
			if want > late && r.Flags&FlagAnswered != 0 {
				t.Errorf("last ACK %d, last data %d jiffies ago: the first probe is said to be answered", ack, data)
			}
			// Nothing has come since.
			if r = m.probe(2); want > late && r.Flags&FlagAnswered != 0 {
				t.Errorf("last ACK %d, last data %d jiffies ago: a probe that was not answered is", ack, data)
			}
			// An ACK, while the data's stamp is as old as it was.
			m.heard(0, data)
			if r = m.probe(1); r.Flags&FlagAnswered == 0 {
				t.Errorf("last data %d jiffies ago: an answered probe is not", data)
			}
			m.forget()
		}
	}
}

// TestHeardMeanwhile: a segment may come, and the clock tick, after the program has
// read the clock. It came just now, and is an answer to the probe.
func TestHeardMeanwhile(t *testing.T) {
	const meanwhile = 1<<32 - 500 // jiffies ago: to come
	m := makeSocket(t)
	m.heard(late, late)
	m.probe(1)
	m.heard(meanwhile, late)
	if r := m.probe(1); r.IdleFor >= late || r.Flags&FlagAnswered == 0 {
		t.Errorf("an ACK just now: idle for %d jiffies, flags %#x, want about 0, and an answer", r.IdleFor, r.Flags)
	}
	m.heard(late, meanwhile)
	if r := m.probe(1); r.IdleFor >= late || r.Flags&FlagAnswered == 0 {
		t.Errorf("data just now: idle for %d jiffies, flags %#x, want about 0, and an answer", r.IdleFor, r.Flags)
	}
}

func (m *made) forget() {
	m.t.Helper()
	if err := m.coll.Maps[katraceMapFollowed].Delete(m.at + madeSock); err != nil {
		m.t.Fatal(err)
	}
}

// TestStaleEntry: what is remembered of a connection whose end no program saw
// is not told of the next one at the socket's address.
func TestStaleEntry(t *testing.T) {
	m := makeSocket(t)
	m.heard(madeIdle, madeIdle)
	m.probe(1)
	m.peer(40123)
	m.heard(0, 0)
	if r := m.probe(1); r.Flags&FlagAnswered != 0 {
		t.Error("the first probe of a connection is said to be answered: the one before it at this address was probed")
	}
	m.peer(40124)
	m.heard(0, 0)
	if got := m.fire(func() {}); len(got) != 0 {
		t.Errorf("a firing of a connection that was never probed told %+v", got)
	}
	m.peer(40125)
	m.set("inet_sock", "inet_sport", 2, 5432>>8|5432&0xff<<8)
	m.set("sock_common", "skc_state", 1, 7)
	m.store()
	m.run(m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
	if got := m.records(); len(got) != 0 {
		t.Errorf("the end of a connection that was never told of told %+v", got)
	}
}

// TestClosedTuple: the local port is gone from its usual place when a connection
// closes (inet_put_port), and is told all the same.
func TestClosedTuple(t *testing.T) {
	m := makeSocket(t)
	m.heard(madeIdle, madeIdle)
	m.probe(1)
	m.set("inet_sock", "inet_sport", 2, 5432>>8|5432&0xff<<8)
	m.set("sock_common", "skc_num", 2, 0)
	m.set("sock_common", "skc_state", 1, 7)
	m.heard(0, madeIdle)
	m.run(m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
	got := m.records()
	if len(got) != 1 || got[0].Kind != RecordClosed || got[0].LocalPort != 5432 || got[0].Flags&FlagAnswered == 0 {
		t.Errorf("%+v, want that it closed, local port 5432, and that the probe was answered", got)
	}
}

// TestAnswerWhileClosing: a firing that finds an answer while another processor closes
// the connection leaves it to the close, which knows the port.
func TestAnswerWhileClosing(t *testing.T) {
	m := makeSocket(t)
	m.heard(madeIdle, madeIdle)
	m.probe(1)
	m.set("inet_sock", "inet_sport", 2, 5432>>8|5432&0xff<<8)
	m.set("sock_common", "skc_num", 2, 0)
	m.heard(0, 0)
	if got := m.fire(func() {}); len(got) != 0 {
		t.Errorf("%+v, want nothing yet", got)
	}
	m.run(m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
	if got := m.records(); len(got) != 1 || got[0].Kind != RecordClosed || got[0].Flags&FlagAnswered == 0 {
		t.Errorf("%+v, want that it closed, and that the probe was answered", got)
	}
}

// TestGivingUp: a RST is keepalive's giving up only where all holds by which
// tcp_keepalive_timer() gives up.
func TestGivingUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *made)
		reason uint8 // 0: not told
	}{
		{"by the count", func(m *made) { m.probes(6) }, 1},
		{"too few probes", func(m *made) { m.probes(5) }, 0},
		{"in CLOSE: a listener's child", func(m *made) { m.probes(6); m.set("sock_common", "skc_state", 1, 7) }, 0},
		{"something to send", func(m *made) { m.probes(6); m.set("tcp_sock", "write_seq", 4, 1) }, 0},
		{"heard just now", func(m *made) { m.probes(6); m.heard(0, 1<<31+1) }, 0},
		{"keepalive off", func(m *made) { m.probes(6); m.set("sock_common", "skc_flags", 8, 0) }, 0},
		{"user timeout", func(m *made) { m.probes(1); m.set("inet_connection_sock", "icsk_user_timeout", 4, 1000) }, 2},
		{"user timeout, no probe", func(m *made) { m.set("inet_connection_sock", "icsk_user_timeout", 4, 1000) }, 0},
		{"user timeout to come", func(m *made) { m.probes(6); m.set("inet_connection_sock", "icsk_user_timeout", 4, 1<<31) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := makeSocket(t)
			m.heard(madeIdle, 1<<31+1)
			tt.change(m)
			got := m.fire(func() { m.run(m.coll.Programs[katraceProgTpSendReset], m.at) })
			told := uint8(0)
			if len(got) > 0 {
				told = got[0].Reason
			}
			if told != tt.reason || len(got) > 1 {
				t.Errorf("records %+v, want reason %d", got, tt.reason)
			}
		})
	}
	// Outside a firing it is never keepalive's.
	m := makeSocket(t)
	m.heard(madeIdle, madeIdle)
	m.probes(6)
	m.run(m.coll.Programs[katraceProgTpSendReset], m.at)
	if got := m.records(); len(got) != 0 {
		t.Errorf("outside a firing: %+v", got)
	}
}

// TestRoundTrip: only an empty segment is an answer to be timed, and only where
// nothing was sent since that it might acknowledge.
func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *made)
		want   bool
	}{
		{"an ACK", func(m *made) { m.set("tcp_sock", "segs_in", 4, 1) }, true},
		{"data", func(m *made) { m.set("tcp_sock", "segs_in", 4, 1); m.set("tcp_sock", "data_segs_in", 4, 1) }, false},
		{"two segments", func(m *made) { m.set("tcp_sock", "segs_in", 4, 2) }, false},
		{"an ACK of data sent since", func(m *made) {
			m.set("tcp_sock", "segs_in", 4, 1)
			for _, field := range []string{"write_seq", "snd_nxt", "snd_una"} {
				m.set("tcp_sock", field, 4, 10)
			}
		}, false},
	} {
		m := makeSocket(t)
		m.heard(madeIdle, madeIdle)
		m.probe(1)
		tt.change(m)
		m.heard(0, madeIdle)
		if r := m.probe(1); r.Flags&FlagAnswered == 0 || (r.Flags&FlagRTT != 0) != tt.want {
			t.Errorf("%s: flags %#x, want an answer, round trip known: %t", tt.name, r.Flags, tt.want)
		}
	}
}

// TestResetElsewhere: a RST from the socket's backlog is taken by a process, which
// may go to another processor before the connection is in CLOSE.
func TestResetElsewhere(t *testing.T) {
	const byUnknown, byPeer = 0, 3 // enum record_by
	m := makeSocket(t)
	m.heard(0, 0)
	m.runOn(0, m.coll.Programs[katraceProgTpReceiveReset], m.at)
	m.set("sock", "sk_err", 4, uint64(unix.ECONNRESET))
	m.set("sock_common", "skc_state", 1, 7)
	m.store()
	m.runOn(uint32(min(1, runtime.NumCPU()-1)), m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
	got := m.records()
	if len(got) != 1 || got[0].Kind != RecordEnded || got[0].By != byPeer {
		t.Errorf("%+v, want that it ended, by the peer", got)
	}
	// What is known of an end is not told of the next one at the socket's address.
	m.set("sock_common", "skc_state", 1, 1)
	m.store()
	m.runOn(0, m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
	if got := m.records(); len(got) != 1 || got[0].By != byUnknown {
		t.Errorf("%+v, want that it ended, and not by whom", got)
	}
}

// TestSuspendedWhileClosing: a firing that finds data in flight while another
// processor ends the connection tells nothing of it: its port is gone already.
func TestSuspendedWhileClosing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		port   uint64
		err    unix.Errno
		events int
	}{{"there", 5432, 0, 1}, {"its port is gone", 0, unix.ETIMEDOUT, 0}, {"an error is set", 5432, unix.ETIMEDOUT, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			m := makeSocket(t)
			m.set("tcp_sock", "write_seq", 4, 1)
			m.set("tcp_sock", "packets_out", 4, 1)
			m.set("tcp_sock", "snd_wnd", 4, 1)
			m.set("inet_connection_sock", "icsk_retransmits", 1, 4)
			m.set("sock_common", "skc_num", 2, tt.port)
			m.set("sock", "sk_err", 4, uint64(tt.err))
			m.heard(0, 0)
			if got := m.fire(func() {}); len(got) != tt.events || tt.events > 0 && got[0].Kind != RecordSuspended {
				t.Errorf("%+v, want %d that it is suspended", got, tt.events)
			}
		})
	}
}
