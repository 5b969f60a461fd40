// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestHurry: a scan in a hurry comes at once, although others would rest, says
// when it is done, and answers for good.
func TestHurry(t *testing.T) {
	var made atomic.Uint64 // the only socket, once it is there
	scanned := make(chan struct{}, 100)
	r := New(Options{MinPause: time.Hour, Period: time.Hour, Scanned: func() { scanned <- struct{}{} }, list: func(yield func(found) bool) error {
		if inode := made.Load(); inode != 0 {
			yield(found{inode: inode, pid: int32(os.Getpid()), task: int32(os.Getpid())})
		}
		return nil
	}})
	defer r.Close()
	r.checks.limit = 0 // /proc knows nothing of it
	<-scanned
	made.Store(7)
	e := events.Event{State: conn.State{Inode: 7}}
	if !r.Fill(&e, time.Now()) || e.Process.PID != 0 {
		t.Fatalf("a socket that no scan has seen: %+v", e.Process)
	}
	if !r.Hurry(time.Hour) {
		t.Fatal("no scan in an hour")
	}
	<-scanned
	if r.Fill(&e, time.Now()) || e.Process.PID != os.Getpid() {
		t.Errorf("after the scan: %+v", e.Process)
	}
	e = events.Event{State: conn.State{Inode: 8}}
	if !r.Fill(&e, time.Now()) || !r.Hurry(time.Hour) {
		t.Fatal("no scan for another")
	}
	<-scanned
	if r.Fill(&e, time.Now()) {
		t.Error("a socket that a scan did not find is looked for again at once")
	}
	if r.Hurry(-1) {
		t.Error("promised in no time")
	}
}

// TestHurryIsBounded: who hurries all the time gets no larger a share of a core
// in the long run, and is told so.
func TestHurryIsBounded(t *testing.T) {
	const cost = 5 * time.Millisecond
	r := New(Options{MinPause: time.Hour, Period: time.Hour, list: func(func(found) bool) error { time.Sleep(cost); return nil }})
	defer r.Close()
	<-r.first
	begun := time.Now()
	for i := uint64(1); time.Since(begun) < 2*time.Second || r.scans.Load() < 2 && time.Since(begun) < time.Minute; i++ {
		r.Lookup(i)
		r.Hurry(50 * time.Millisecond)
		time.Sleep(100 * time.Microsecond)
	}
	most := uint64((time.Since(begun)+inHurry)/(restOnMiss*cost)) + 2
	if n := r.scans.Load(); n < 2 || n > most {
		t.Errorf("%d scans, want 2 to %d", n, most)
	}
	// With the credit used up it is told so.
	r.missMu.Lock()
	r.owed = r.now() + inHurry + time.Hour
	r.missMu.Unlock()
	r.Lookup(1 << 40)
	if r.Hurry(50 * time.Millisecond) {
		t.Error("a scan is promised in 50 ms that is not allowed for an hour")
	}
}

// TestFoundMeanwhile: what a scan finds that was asked for while it was under way needs
// no other scan; what it does not find, or what is wrong about what was known, does.
func TestFoundMeanwhile(t *testing.T) {
	pid := int32(os.Getpid())
	for _, c := range []struct {
		what  string
		miss  func(r *Resolver)
		scans uint64
	}{
		{"nothing", func(*Resolver) {}, 1},
		{"found", func(r *Resolver) { r.Lookup(7) }, 1},
		{"found, in a hurry", func(r *Resolver) { r.Lookup(7); r.Hurry(time.Hour) }, 1},
		{"not found", func(r *Resolver) { r.Lookup(7); r.Lookup(8) }, 2},
		{"not found, in a hurry", func(r *Resolver) { r.Lookup(8); r.Hurry(time.Hour) }, 2},
		{"wrong", func(r *Resolver) { r.miss(want{inode: 7}, true, r.now()); r.Lookup(7) }, 2},
		{"a listener found", func(r *Resolver) { r.miss(want{listening: listeningAt{1, 80}}, false, r.now()) }, 1},
		{"a listener not found", func(r *Resolver) { r.miss(want{listening: listeningAt{1, 81}}, false, r.now()) }, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, asked := make(chan bool), make(chan bool)
				first := true
				r := New(Options{Period: time.Hour, list: func(yield func(found) bool) error {
					if first {
						first = false
						begun <- true
						<-asked
					}
					listens := &Listening{Netns: 1, Local: netip.MustParseAddrPort("127.0.0.1:80"), Inode: 7}
					yield(found{inode: 7, pid: pid, task: pid, listens: listens})
					return nil
				}})
				defer r.Close()
				r.checks.limit = 0
				<-begun
				c.miss(r)
				close(asked)
				time.Sleep(time.Minute)
				if n := r.scans.Load(); n != c.scans {
					t.Errorf("%d scans, want %d", n, c.scans)
				}
				if p, ok := r.Lookup(7); !ok || p.PID != int(pid) {
					t.Errorf("the socket is %+v's", p)
				}
				if r.isHurried() {
					t.Error("the next scan is in a hurry, for nobody")
				}
			})
		})
	}
}

// TestOtherListener: that one listens on the port does not keep another address's
// listener from being looked for.
func TestOtherListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Period: time.Hour, list: func(yield func(found) bool) error {
			pid := int32(os.Getpid())
			yield(found{inode: 7, pid: pid, task: pid, listens: &Listening{Netns: 1, Local: netip.MustParseAddrPort("127.0.0.1:80"), Inode: 7}})
			return nil
		}})
		defer r.Close()
		<-r.first
		e := events.Event{State: conn.State{Netns: 1, TCPState: conn.TCPEstablished, Family: conn.IPv4, Local: netip.MustParseAddrPort("127.0.0.2:80")}}
		if asked := r.Fill(&e, time.Now()); !asked {
			t.Error("not asked for")
		}
		time.Sleep(time.Minute)
		if n := r.scans.Load(); n != 2 {
			t.Errorf("%d scans, want 2", n)
		}
	})
}

// TestEndsAreSeen: where answers are given unchecked, a process that has ended is none
// a moment later, also after a time in which nobody asked and no process was looked after.
func TestEndsAreSeen(t *testing.T) {
	holder := startHelper(t, "hold")
	pid := int32(holder.Cmd.Process.Pid)
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Period: time.Hour, list: func(yield func(found) bool) error {
			yield(found{inode: 7, pid: pid, task: pid})
			return nil
		}})
		defer r.Close()
		r.checks.limit = 0
		<-r.first
		time.Sleep(2*checkEvery + time.Millisecond)
		if !r.idle.Load() {
			t.Error("processes are looked after, and nobody asks")
		}
		if p, ok := r.Lookup(7); !ok || p.PID != int(pid) {
			t.Fatalf("the socket is %+v's", p)
		}
		holder.End()
		time.Sleep(2*checkEvery + time.Millisecond)
		if p, ok := r.Lookup(7); ok {
			t.Errorf("the socket is still %+v's, which has ended", p)
		}
	})
}
