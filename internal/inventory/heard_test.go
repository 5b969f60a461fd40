// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestHeardByData: data that the peer sends while probes are out makes it heard,
// but the kernel's fast path leaves their count as it is, and what is left of it
// decides when the connection is given up.
func TestHeardByData(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	p := connect(t, "127.0.0.1")
	if err := unix.SetsockoptInt(p.peer, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		t.Fatal(err)
	}
	send := func() {
		if _, err := unix.Write(p.peer, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 { // out of quick ACKs, and header prediction works
		send()
		if _, err := unix.Read(p.ours, make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
	}
	send() // left unread
	p.acknowledged(t)
	p.vanish(t)
	// An interval of a second. While nothing is to be sent the idle time is an hour:
	// the timer is armed anew by it, however busy the machine is.
	const idle, hour, plenty = 3, 3600, 100
	p.keepalive(t, idle, 1, plenty, 0)
	for end := time.Now().Add(30 * time.Second); p.probesOut(t) < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d probes out", p.probesOut(t))
		}
	}
	p.keepalive(t, hour, 1, plenty, 0)
	stood := standstill(t)
	p.reappear(t)
	send()
	heard := time.Now()
	p.acknowledged(t)
	p.vanish(t)
	out := int(p.probesOut(t)) // more than 3 where the machine is busy
	if out < 3 || out >= plenty {
		t.Fatalf("not staged: after a byte from the peer the kernel counts %d probes", out)
	}
	count := out + 3
	p.keepalive(t, hour, 1, count, 0)
	eachMethod(t, func(t *testing.T, m Method) {
		l := open(t, Options{Method: m}).list(t)
		s := l.ofPair(t, p)
		e := s.Event(l.Time)
		if s.Unanswered != out || s.SinceHeard != 0 || s.Silent || e.Verdict != 0 {
			t.Errorf("%d unanswered, %d since it was heard, verdict %q", s.Unanswered, s.SinceHeard, e.Verdict)
		}
		// The rest of the probes is left, and then the giving up.
		if s.DiesIn != s.Next+time.Duration(count-out)*time.Second || s.Next > hour*time.Second || s.Next < hour/2*time.Second {
			t.Errorf("next probe in %s, dies in %s", s.Next, s.DiesIn)
		}
	})
	// Where it was silent for so long already, the timer fires at once.
	began := heard.Add(idle * time.Second)
	if now := time.Now(); now.After(began) {
		began = now
	}
	p.keepalive(t, idle, 1, count, 0)
	end := waitForEnd(p.ours, 30*time.Second)
	// Were the count begun anew, the last probes would come after the end.
	want := time.Duration(count-out) * time.Second
	alive, dead := end.alive.Sub(began), end.dead.Sub(began)
	if !errors.Is(end.errno, unix.ETIMEDOUT) || dead < want-100*time.Millisecond || alive > want+2*time.Second+stood() {
		t.Errorf("%v %s to %s after the idle time", end.errno, alive, dead)
	}
}
