// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// message makes one netlink message.
func message(kind uint16, body []byte) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	native.PutUint32(b, uint32(unix.NLMSG_HDRLEN+len(body)))
	native.PutUint16(b[4:], kind)
	return append(b, body...)
}

// diagBody is a struct inet_diag_msg.
func diagBody(family, state, timer uint8, inode uint32) []byte {
	b := make([]byte, sizeofDiagMsg)
	b[0], b[1], b[2] = family, state, timer
	copy(b[4:], []byte{0x15, 0x38, 0x9c, 0xba}) // 5432, 40122
	copy(b[8:], []byte{10, 0, 0, 1})
	copy(b[24:], []byte{10, 0, 0, 9})
	native.PutUint32(b[68:], inode)
	return b
}

func TestEachMessage(t *testing.T) {
	ok := message(sockDiagByFamily, diagBody(unix.AF_INET, 1, 2, 7))
	done := message(unix.NLMSG_DONE, make([]byte, 4))
	refused := message(unix.NLMSG_ERROR, native.AppendUint32(nil, uint32(0xffffffff))) // -EPERM
	long := message(sockDiagByFamily, diagBody(unix.AF_INET, 1, 2, 7))
	native.PutUint32(long, uint32(len(long)+1))
	for _, tt := range []struct {
		name string
		in   []byte
		n    int
		done bool
		err  bool
	}{
		{"nothing", nil, 0, false, false},
		{"two", append(append([]byte{}, ok...), ok...), 2, false, false},
		{"the end", append(append([]byte{}, ok...), done...), 1, true, false},
		{"refused", refused, 0, true, true},
		{"longer than the datagram", long, 0, true, true},
		{"a rest", ok[:10], 0, false, false},
	} {
		n := 0
		done, err := eachMessage(tt.in, func([]byte) { n++ })
		if n != tt.n || done != tt.done || (err != nil) != tt.err {
			t.Errorf("%s: %d messages, done %v, %v", tt.name, n, done, err)
		}
	}
	if _, err := eachMessage(refused, nil); !errors.Is(err, unix.EPERM) {
		t.Errorf("refused: %v", err)
	}
}

func TestParseDiagTimers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		state    uint8
		timer    uint8
		inode    uint32
		on, know bool
		waits    conn.Waiting
	}{
		{"keepalive", 1, timerKeepalive, 7, true, true, conn.WaitsProbe},
		{"none", 1, timerNone, 7, false, true, conn.WaitsNothing},
		{"retransmission hides keepalive", 1, timerRetransmit, 7, false, false, conn.WaitsRetransmission},
		{"zero window", 1, timerWindow, 7, false, false, conn.WaitsWindowProbe},
		{"fin_wait2 orphan", 5, timerKeepalive, 0, false, false, conn.WaitsFinWait2},
		{"fin_wait2 held", 5, timerKeepalive, 7, true, true, conn.WaitsProbe},
		{"listen", 10, timerNone, 7, false, false, conn.WaitsNothing},
		{"time_wait", 6, timerTimeWait, 0, false, false, conn.WaitsNothing},
	} {
		var s Socket
		if !parseDiag(diagBody(unix.AF_INET, tt.state, tt.timer, tt.inode), &s) {
			t.Fatal(tt.name)
		}
		if s.On != tt.on || (s.Has&HasOn != 0) != tt.know || s.WaitsFor != tt.waits {
			t.Errorf("%s: on %v known %v waits for %q", tt.name, s.On, s.Has&HasOn != 0, s.WaitsFor)
		}
		if s.Local.String() != "10.0.0.1:5432" || s.Remote.String() != "10.0.0.9:40122" || s.Family != conn.IPv4 {
			t.Errorf("%s: %s > %s", tt.name, s.Local, s.Remote)
		}
	}
}

// TestDiagStalls: by the same rule as stall_of() in bpf/stall.h; TestMethodsAgree holds
// the two against each other.
func TestDiagStalls(t *testing.T) {
	type given struct {
		state                        conn.TCPState
		inode                        uint64
		retransmits, probes, backoff uint8
		inFlight, window, unacked    uint32
	}
	const data, window, none = conn.WaitsRetransmission, conn.WaitsWindowProbe, conn.WaitsNothing
	for _, tt := range []struct {
		name string
		given
		waits   conn.Waiting
		unacked uint32
	}{
		{"on its way", given{conn.TCPEstablished, 7, 0, 0, 0, 1, 65535, 100}, none, 0},
		{"sent again", given{conn.TCPEstablished, 7, 1, 0, 1, 1, 65535, 100}, data, 100},
		{"sent again, not accepted yet", given{conn.TCPEstablished, 0, 1, 0, 1, 1, 65535, 100}, data, 100},
		{"sent again, an orphan's", given{conn.TCPFinWait1, 0, 1, 0, 1, 1, 65535, 100}, none, 0},
		{"the FIN is no byte", given{conn.TCPLastAck, 7, 1, 0, 1, 1, 65535, 101}, data, 100},
		{"sent again into a closed window", given{conn.TCPEstablished, 7, 0, 0, 2, 1, 0, 100}, window, 100},
		{"sent again, and then the window closed", given{conn.TCPEstablished, 7, 2, 0, 2, 1, 0, 100}, window, 100},
		{"the window is closed, and not probed so far", given{conn.TCPEstablished, 7, 0, 0, 0, 0, 0, 100}, none, 0},
		{"the window is closed and probed", given{conn.TCPEstablished, 7, 0, 0, 3, 0, 0, 100}, window, 100},
		{"a window probe is out", given{conn.TCPEstablished, 7, 0, 1, 0, 0, 0, 100}, window, 100},
		{"probes of keepalive", given{conn.TCPEstablished, 7, 0, 3, 0, 0, 65535, 0}, none, 0},
	} {
		info := make([]byte, unsafe.Sizeof(unix.TCPInfo{}))
		info[2], info[3], info[4] = tt.retransmits, tt.probes, tt.backoff
		native.PutUint32(info[24:], tt.inFlight)
		native.PutUint32(info[unsafe.Offsetof(unix.TCPInfo{}.Snd_wnd):], tt.window)
		body := native.AppendUint16(native.AppendUint16(diagBody(unix.AF_INET, uint8(tt.state), timerNone, uint32(tt.inode)), uint16(4+len(info))), diagInfo)
		native.PutUint32(body[60:], tt.given.unacked)
		var s Socket
		if !parseDiag(append(body, info...), &s) {
			t.Fatal(tt.name)
		}
		if s.WaitsFor != tt.waits || s.Stalled() != (tt.waits != none) || s.Unacked != tt.unacked || s.Stalled() && s.Retransmits != int(tt.retransmits) {
			t.Errorf("%s: waits for %q, stalled %v, %+v", tt.name, s.WaitsFor, s.Stalled(), s.Data)
		}
		if parseDiag(append(body, info[:unsafe.Offsetof(unix.TCPInfo{}.Snd_wnd)]...), &s); s.Stalled() {
			t.Errorf("%s: by half of struct tcp_info: %+v", tt.name, s.Data)
		}
	}
}

// TestDiagOrphan: an orphan in FIN_WAIT2 is not idle: its timer is another one.
func TestDiagOrphan(t *testing.T) {
	info := make([]byte, 60)
	native.PutUint32(info[52:], 5000)
	native.PutUint32(info[56:], 5000)
	for inode, idle := range map[uint32]bool{0: false, 7: true} {
		body := native.AppendUint16(native.AppendUint16(diagBody(unix.AF_INET, uint8(conn.TCPFinWait2), timerKeepalive, inode), uint16(4+len(info))), diagInfo)
		var s Socket
		if !parseDiag(append(body, info...), &s) || s.Has&conn.HasIdleFor != 0 != idle || s.IdleFor != 0 != idle {
			t.Errorf("inode %d: idle for %s, %b", inode, s.IdleFor, s.Has)
		}
	}
}

func FuzzDiag(f *testing.F) {
	f.Add(message(sockDiagByFamily, diagBody(unix.AF_INET6, 1, 2, 7)))
	f.Add(message(unix.NLMSG_ERROR, []byte{1}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var s Socket
		_, _ = eachMessage(b, func(msg []byte) {
			if parseDiag(msg, &s) {
				s.foresee(250)
			}
		})
	})
}

// BenchmarkSnapshot lists what this machine has.
func BenchmarkSnapshot(b *testing.B) {
	for _, m := range []Method{Netlink, BPF} {
		b.Run(string(m), func(b *testing.B) {
			r, err := Open(Options{Method: m})
			if err != nil {
				b.Skip(err)
			}
			defer r.Close()
			var l *List
			for b.Loop() {
				if l, err = r.Snapshot(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			n := max(1, len(l.Sockets))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/socket")
		})
	}
}
