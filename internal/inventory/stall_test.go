// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// tcpRTOMax is TCP_RTO_MAX_MS, from Linux 6.15 on.
const tcpRTOMax = 44

// stalling is a connection in which keepalive has no say.
type stalling struct {
	*pair
	name  string
	waits conn.Waiting
	user  time.Duration
	ends  chan end
	said  []estimate
}

// estimate is what a list said of a connection, which was made between two moments.
type estimate struct {
	from, to    time.Time
	dies        time.Duration
	stall       conn.Stall // what it was made by
	retransmits int
}

// TestStallsAgreeWithTheKernel lists connections whose data is never acknowledged,
// or whose peer keeps its window closed, again and again until the kernel gives
// them up: from the first retransmission on each list says when that is.
func TestStallsAgreeWithTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 12 s")
	}
	needsRoot(t)
	needsBPF(t)
	t.Parallel()
	stood := standstill(t)
	var wg sync.WaitGroup
	var said atomic.Int64
	for retries2 := 3; retries2 <= 8; retries2++ {
		wg.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
			if err := inNamespaceOf(t, retries2, stood, &said); err != nil {
				t.Errorf("tcp_retries2 %d: %v", retries2, err)
			}
		})
	}
	wg.Wait()
	if said.Load() == 0 {
		t.Error("no list said when a connection ends")
	}
}

// inNamespaceOf does so in a network namespace with that tcp_retries2, and counts the
// estimates.
func inNamespaceOf(t *testing.T, retries2 int, stood func() time.Duration, said *atomic.Int64) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := cmp.Or(netlink.LinkSetUp(lo), os.WriteFile("/proc/sys/net/ipv4/tcp_retries2", strconv.AppendInt(nil, int64(retries2), 10), 0)); err != nil {
		return err
	}
	r, err := Open(Options{Method: BPF})
	if err != nil {
		return err
	}
	defer r.Close()
	var all []*stalling
	stage := func(name string, waits conn.Waiting, user, rtoMax time.Duration) {
		s := &stalling{name: fmt.Sprintf("tcp_retries2 %d, %s", retries2, name), pair: connect(t, "127.0.0.1"), waits: waits, user: user, ends: make(chan end, 1)}
		if rtoMax > 0 && unix.SetsockoptInt(s.ours, unix.IPPROTO_TCP, tcpRTOMax, int(rtoMax.Milliseconds())) != nil {
			return // not on this kernel
		}
		s.keepalive(t, 2, 1, 3, int(user.Milliseconds()))
		if waits == conn.WaitsWindowProbe {
			s.fill(t)
		} else {
			s.vanish(t)
			if _, err := unix.Write(s.ours, make([]byte, 100)); err != nil {
				t.Error(err)
			}
		}
		all = append(all, s)
		go func() { s.ends <- waitForEnd(s.ours, time.Minute) }()
	}
	stage("TCP_RTO_MAX_MS 1s", conn.WaitsRetransmission, 0, time.Second)
	user := time.Duration(retries2-1) * 1300 * time.Millisecond
	stage(fmt.Sprintf("TCP_USER_TIMEOUT %s", user), conn.WaitsRetransmission, user, 0)
	stage(fmt.Sprintf("closed window, TCP_USER_TIMEOUT %s", user), conn.WaitsWindowProbe, user, 0)
	if retries2 <= 4 {
		stage("no limit of the RTO", conn.WaitsRetransmission, 0, 0)
	}
	endless := connect(t, "127.0.0.1")
	endless.keepalive(t, 2, 1, 3, 0)
	endless.fill(t)
	for begun, left := time.Now(), len(all); left > 0; time.Sleep(200 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			return errors.New("not all connections end")
		}
		from := time.Now()
		l, err := r.Snapshot(t.Context())
		if err != nil {
			return err
		}
		left = 0
		for _, s := range all {
			if len(s.ends) == 0 {
				left++
				s.hear(t, l, from)
			}
		}
		if s := l.ofPair(t, endless); s.Has&conn.HasDiesIn != 0 || s.Stalled() && !s.Endless() {
			t.Errorf("tcp_retries2 %d: a peer that answers window probes: gives up in %s", retries2, s.DiesIn)
		}
	}
	for _, s := range all {
		s.judge(t, stood())
		said.Add(int64(len(s.said)))
	}
	return nil
}

// hear notes what a list says of the connection that was begun at that time.
func (s *stalling) hear(t *testing.T, l *List, from time.Time) {
	for i := range l.Sockets {
		got := &l.Sockets[i]
		if got.Inode != s.inode || !got.Stalled() {
			continue // gone meanwhile, or not sent again so far
		}
		s.said = append(s.said, estimate{from: from, to: from.Add(l.Took.Sockets), dies: got.DiesIn, stall: *got.stall, retransmits: got.Retransmits})
		switch want := (map[bool]uint32{true: 100})[s.waits == conn.WaitsRetransmission]; {
		case got.WaitsFor != s.waits:
			t.Errorf("%s: waits for %s", s.name, got.WaitsFor)
		case got.Has&conn.HasDiesIn == 0 && (got.stall.Since > 0 || s.waits == conn.WaitsRetransmission):
			t.Errorf("%s: does not say when the kernel gives up", s.name)
		case want != 0 && (got.Unacked != want || got.Retransmits == 0):
			t.Errorf("%s: %d bytes unacknowledged, %d retransmits", s.name, got.Unacked, got.Retransmits)
		}
		return
	}
}

// judge holds the estimates against the end.
func (s *stalling) judge(t *testing.T, stood time.Duration) {
	end := <-s.ends
	if !errors.Is(end.errno, unix.ETIMEDOUT) {
		t.Errorf("%s: ended with %v", s.name, end.errno)
	}
	// A firing may be late, and those that follow are later by as much. Where one comes
	// close to the limit, either it or the next is the last: the kernel knows the time
	// since the first retransmission a jiffy better, and late firings reach the limit sooner.
	// A machine that stands still may do so between the program's reading of one time
	// and of the other.
	apart := 100*time.Millisecond + stood
	for i, e := range s.said {
		early, late := e.stall, e.stall
		early.Since, late.Since = early.Since+apart, max(1, late.Since-10*time.Millisecond-stood)
		first, _ := early.DiesIn()
		last, _ := late.DiesIn()
		right := false
		for _, dies := range []time.Duration{first, e.dies, last} {
			right = right || !e.from.Add(dies-apart).After(end.dead) && !e.to.Add(dies+apart).Before(end.alive)
		}
		if !right {
			t.Errorf("%s: estimate %d, with %d retransmits: gives up in %s (%s to %s), it did after %s to %s (the machine stood still for %s)",
				s.name, i+1, e.retransmits, e.dies, first, last, end.alive.Sub(e.to), end.dead.Sub(e.from), stood)
		}
		t.Logf("%s, %d retransmits: gives up in %s, it did after %s to %s", s.name, e.retransmits, e.dies, end.alive.Sub(e.to), end.dead.Sub(e.from))
	}
}
