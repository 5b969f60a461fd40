// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"katrace/internal/jiffies"
)

// PlayedStep is what two sets of programs told of the same step of a connection's
// story: one that makes all records, and one that makes only those that change
// something, and counts.
type PlayedStep struct {
	Name        string
	Unseen      bool // the end of a connection was not seen
	Full, Quiet []Record
	Counts      Counts  // so far
	Verdicts    []int64 // now
}

// PlayStory plays so many steps, chosen by chance, on made sockets. It is for tests
// with a tracker, whose package imports this one.
func PlayStory(t *testing.T, seed uint64, steps int) (played []PlayedStep) {
	t.Helper()
	hz, err := jiffies.Read()
	if err != nil {
		t.Fatal(err)
	}
	full := makeSocket(t)
	p := &player{full: full, quiet: full.with(&Options{Quiet: true, Counting: true}), random: rand.New(rand.NewPCG(seed, 0)), pause: 3 * hz.Tick()}
	p.begin()
	quiet := &Tracer{coll: p.quiet.coll}
	for range steps {
		step := PlayedStep{Name: p.step()}
		step.Unseen = strings.HasSuffix(step.Name, unseen)
		step.Full, step.Quiet = p.full.records(), p.quiet.records()
		counts, err := quiet.Counts()
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := quiet.Verdicts()
		if err != nil {
			t.Fatal(err)
		}
		step.Counts, step.Verdicts = counts, verdicts[:]
		played = append(played, step)
	}
	return played
}

const unseen = ", and no program saw the end of the one before"

// player plays on one socket, for both sets of programs.
type player struct {
	full, quiet *made // of the same bytes
	random      *rand.Rand
	pause       time.Duration // longer than a jiffy
	port        uint16
	n           uint8 // icsk_probes_out
	suspended   bool
}

func (p *player) both(do func(m *made)) {
	do(p.full)
	do(p.quiet)
}

func (p *player) set(of, field string, size int, value uint64) {
	p.full.set(of, field, size, value)
	p.full.store()
}

// begin begins another connection at the same address.
func (p *player) begin() string {
	p.port++
	p.full.peer(p.port)
	p.n = [...]uint8{0, 0, 0, 2, 3, 244, 255, 255}[p.random.IntN(8)] // or it was probed before
	p.set("sock_common", "skc_state", 1, 1)
	p.set("sock", "sk_err", 4, 0)
	p.set("inet_connection_sock", "icsk_user_timeout", 4, uint64(p.random.IntN(2))<<30)
	p.resume()
	return fmt.Sprintf("a connection with %d probes out", p.n)
}

func (p *player) resume() {
	p.suspended = false
	p.set("tcp_sock", "write_seq", 4, 0)
	p.set("tcp_sock", "snd_nxt", 4, 0)
	p.set("tcp_sock", "packets_out", 4, 0)
	p.set("inet_connection_sock", "icsk_retransmits", 1, 0)
}

func (p *player) suspend() {
	p.suspended = true
	p.set("tcp_sock", "write_seq", 4, 10)
	p.set("tcp_sock", "snd_nxt", 4, 10)
	p.set("tcp_sock", "packets_out", 4, 1)
	p.set("tcp_sock", "snd_wnd", 4, 1000)
	p.set("inet_connection_sock", "icsk_retransmits", 1, 2)
}

// probe lets the timer send the next probe.
func (p *player) probe() {
	p.n++
	p.both(func(m *made) {
		m.probes(p.n - 1)
		m.run(m.coll.Programs[katraceProgTpTimerExpireEntry], m.at+uint64(m.timer))
		m.probes(p.n)
		m.run(m.coll.Programs[katraceProgTpTimerExpireExit], m.at+uint64(m.timer))
	})
}

// fire lets the timer fire and send nothing.
func (p *player) fire() { p.fireAnd(func(*made) {}) }

func (p *player) fireAnd(between func(m *made)) {
	p.both(func(m *made) {
		m.probes(p.n)
		m.run(m.coll.Programs[katraceProgTpTimerExpireEntry], m.at+uint64(m.timer))
		between(m)
		m.run(m.coll.Programs[katraceProgTpTimerExpireExit], m.at+uint64(m.timer))
	})
}

// heard: the peer is heard now, after the last probe, by an ACK or by data alone, which
// leaves the kernel's count as it is.
func (p *player) heard(ack bool) {
	time.Sleep(p.pause)
	if ack {
		p.n = 0
		p.full.heard(1, madeIdle)
	} else {
		p.full.heard(madeIdle, 1)
	}
}

// silent: the peer was heard last before the last probe.
func (p *player) silent() {
	ago := [...]uint32{madeIdle, madeIdle + 2*madeIntvl, madeIdle + 300*madeIntvl}[p.random.IntN(3)]
	p.full.heard(ago, ago)
}

// reset: a RST comes.
func (p *player) reset() {
	p.full.probes(p.n)
	p.both(func(m *made) { m.run(m.coll.Programs[katraceProgTpReceiveReset], m.at) })
	p.close(104)
}

// close ends the connection with that error, and begins another one.
func (p *player) close(err int32) {
	p.set("sock", "sk_err", 4, uint64(err))
	p.set("sock_common", "skc_state", 1, 7)
	p.both(func(m *made) { m.run(m.coll.Programs[katraceProgTpSetState], m.at, 1, 7) })
	p.begin()
}

func (p *player) step() string {
	ack := p.random.IntN(4) > 0
	switch k := p.random.IntN(20); k {
	default:
		p.silent()
		p.probe()
		return "a probe to a silent peer"
	case 0, 1, 2:
		p.heard(ack)
		p.fire()
		return fmt.Sprintf("an answer (ACK: %t)", ack)
	case 3, 4, 5:
		p.heard(ack)
		p.set("tcp_sock", "keepalive_time", 4, 1)
		p.probe()
		p.set("tcp_sock", "keepalive_time", 4, madeIdle)
		return fmt.Sprintf("an answered probe (ACK: %t)", ack)
	case 6:
		p.n = 0
		p.silent()
		p.probe()
		return "a first probe, whose predecessor's answer no program saw"
	case 7:
		for range 20 {
			p.silent()
			p.probe()
		}
		if p.random.IntN(2) == 0 {
			p.reset()
			return "20 probes, and a RST"
		}
		return "20 probes"
	case 8:
		p.silent()
		p.n = max(p.n, 6)
		p.set("inet_connection_sock", "icsk_user_timeout", 4, 0)
		p.fireAnd(func(m *made) { m.run(m.coll.Programs[katraceProgTpSendReset], m.at) })
		p.close(110)
		return "given up"
	case 9:
		p.silent()
		p.n = max(p.n, 1)
		p.reset()
		return "a RST"
	case 10:
		if ack {
			p.heard(true)
		} else {
			p.silent()
		}
		p.full.probes(p.n)
		p.close(0)
		return "closed"
	case 11:
		p.suspend()
		p.silent()
		p.full.probes(p.n)
		p.close(110)
		return "ended by retransmission"
	case 12, 13:
		if p.suspended {
			p.heard(ack)
			p.resume()
			p.fire()
			return "resumed"
		}
		p.suspend()
		p.silent()
		p.fire()
		p.n = uint8(p.random.IntN(2)) // of window probes, perhaps
		return "suspended"
	case 14:
		return p.begin() + unseen
	case 15:
		p.begin()
		p.n = 255
		p.set("inet_connection_sock", "icsk_user_timeout", 4, 1<<30)
		p.full.heard(madeIdle+300*madeIntvl, madeIdle+300*madeIntvl)
		p.probe()
		p.probe()
		p.heard(false)
		p.fire()
		p.silent()
		p.probe()
		p.probe()
		return "probe 256 and 257, data, and two more" + unseen
	}
}
