// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestProbesOutCleared: the peer's answer may clear icsk_probes_out on another
// processor while the program at the timer's exit reads it. A probe is told by the
// number that it was recognized by, and none counts as unseen.
func TestProbesOutCleared(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	m := makeSocket(t)
	m.heard(late, late)
	m.probe(1)
	memory, err := m.memory.Memory()
	if err != nil {
		t.Fatal(err)
	}
	at := int64(madeSock + m.offset("inet_connection_sock", "icsk_probes_out"))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for i := range byte(200) {
				_, _ = memory.WriteAt([]byte{i & 1}, at)
			}
		}
	}()
	defer func() {
		close(stop)
		<-stopped
	}()
	probes := 0
	for range 20_000 {
		m.run(m.coll.Programs[katraceProgTpTimerExpireEntry], m.at+uint64(m.timer))
		m.run(m.coll.Programs[katraceProgTpTimerExpireExit], m.at+uint64(m.timer))
		for _, r := range m.records() {
			if r.Kind != RecordProbe {
				continue
			}
			if probes++; r.Probes != 1 {
				t.Fatalf("it is told as number %d, and was recognized as number 1", r.Probes)
			}
		}
	}
	if probes == 0 {
		t.Error("no probe was told: this test shows nothing")
	}
	var unseen uint64
	if err := m.coll.Variables[katraceVarLostUnseen].Get(&unseen); err != nil || unseen > 0 {
		t.Errorf("%d count as unseen (%v), want none", unseen, err)
	}
}

// TestProbeWhileClosing: another processor closes the connection after a probe was sent,
// before the program at the timer's exit looks. The probe is told or counts as unseen,
// once, no firing is said to have sent nothing, and nothing is remembered.
func TestProbeWhileClosing(t *testing.T) {
	for _, followed := range []bool{false, true} {
		for _, all := range []bool{false, true} {
			for _, disconnects := range []bool{false, true} { // linger 0: tcp_disconnect() clears the count
				if disconnects && !followed {
					continue // nobody can know of the probe
				}
				m := makeSocket(t).with(&Options{All: all})
				m.heard(late, late)
				if followed {
					m.probe(1)
				}
				sent := uint8(1)
				if followed {
					sent = 2
				}
				m.probes(sent - 1)
				got := m.fire(func() {
					m.set("sock_common", "skc_state", 1, 7)
					m.probes(sent)
					m.run(m.coll.Programs[katraceProgTpSetState], m.at, 1, 7)
					if disconnects {
						m.probes(0)
					}
				})
				var unseen uint64
				if err := m.coll.Variables[katraceVarLostUnseen].Get(&unseen); err != nil || unseen != 1 {
					t.Errorf("followed %t, --all %t, disconnects %t: %d count as unseen (%v), want 1", followed, all, disconnects, unseen, err)
				}
				for _, r := range got {
					if r.Kind != RecordClosed {
						t.Errorf("followed %t, --all %t, disconnects %t: %+v, want that it closed alone", followed, all, disconnects, r)
					}
				}
				var key uint64
				if err := m.coll.Maps[katraceMapFollowed].NextKey(nil, &key); err == nil {
					t.Errorf("followed %t, --all %t, disconnects %t: it is still followed", followed, all, disconnects)
				}
			}
		}
	}
}

// TestTickWhileRead: the clock may tick while the program runs. A segment of the
// jiffy before the probe is no answer to it, whenever that is asked.
func TestTickWhileRead(t *testing.T) {
	m := makeSocket(t).with(&Options{Quiet: true})
	m.heard(late, late)
	probe := m.traced(katraceProgFexitWriteWakeup)
	m.run(probe, m.at, 0, 0)
	before := uint64(m.entry().ProbedAt - 1)
	m.set("tcp_sock", "rcv_tstamp", 4, before)
	m.set("inet_connection_sock", "icsk_ack.lrcvtime", 4, before)
	m.store()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var was, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		t.Fatal(err)
	}
	first.Set(0)
	if err := unix.SchedSetaffinity(0, &first); err == nil { // where the program runs: twice as fast
		defer func() { _ = unix.SchedSetaffinity(0, &was) }()
	}
	const congested = 1 // nothing was sent, so .probed_at stays
	for i := range 400_000 {
		m.run(probe, m.at, 0, congested)
		if i%1000 == 0 && m.entry().Outstanding != 1 {
			t.Fatalf("after %d runs the probe is said to be answered", i)
		}
	}
}
