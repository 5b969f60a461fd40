// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
	"katrace/test/childtest"
)

// requireEnv, where it is set, says that this machine has to be able to load
// BPF iterators: a test that would be skipped fails.
const requireEnv = "KATRACE_REQUIRE_BPF"

// tryBPF loads the iterators once: that takes a while in an emulated machine.
var tryBPF = sync.OnceValue(func() error {
	r, err := Open(Options{Method: BPF})
	if err == nil {
		r.Close()
	}
	return err
})

// needsBPF skips the test where the iterators cannot be loaded.
func needsBPF(t *testing.T) {
	t.Helper()
	err := tryBPF()
	if errors.Is(err, loader.ErrUnsupported) && os.Getenv(requireEnv) == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// eachMethod runs a test with every method that this kernel and these
// privileges allow: the same sockets give the same list.
func eachMethod(t *testing.T, f func(*testing.T, Method)) {
	loopbackUp(t)
	for _, m := range []Method{Netlink, BPF} {
		t.Run(string(m), func(t *testing.T) {
			if m == BPF {
				needsBPF(t)
			}
			f(t, m)
		})
	}
}

// open loads what the method needs, which takes a while in an emulated machine.
func open(t *testing.T, o Options) *Lister {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// each is a list of the sockets that Each hands over.
func (r *Lister) each(t *testing.T) *List {
	t.Helper()
	var sockets []Socket
	var at time.Time
	l, err := r.Each(context.Background(), func(listed time.Time, s *Socket) { at, sockets = listed, append(sockets, *s) })
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Sockets) > 0 || len(sockets) > 0 && !at.Equal(l.Time) {
		t.Fatalf("%d sockets are in the list, whose time is %s and not %s", len(l.Sockets), l.Time, at)
	}
	l.Sockets = sockets
	return l
}

func (r *Lister) list(t *testing.T) *List {
	t.Helper()
	l, err := r.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if r.o.Method != l.Method {
		t.Fatalf("listed by %s, not %s", l.Method, r.o.Method)
	}
	return l
}

// ofPair finds the pair's own socket, by its address.
func (l *List) ofPair(t *testing.T, p *pair) *Socket {
	t.Helper()
	var found *Socket
	for i := range l.Sockets {
		if s := &l.Sockets[i]; s.Local == p.local && s.Remote == p.remote {
			if found != nil {
				t.Fatalf("%s > %s is there twice: %+v and %+v", p.local, p.remote, found, s)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("%s is not in the list", p.local)
	}
	return found
}

func TestSettings(t *testing.T) {
	needsRoot(t)
	eachMethod(t, func(t *testing.T, m Method) {
		r := open(t, Options{Method: m})
		sysctl, err := Defaults()
		if err != nil {
			t.Fatal(err)
		}
		const second = time.Second
		for _, tt := range []struct {
			name, addr             string
			idle, intvl, cnt, user int // as set, 0: not
			family                 conn.Family
		}{
			{"all set", "127.0.0.1", 60, 10, 6, 0, conn.IPv4},
			{"all inherited", "127.0.0.1", 0, 0, 0, 0, conn.IPv4},
			{"count inherited", "127.0.0.1", 60, 10, 0, 0, conn.IPv4},
			{"set equal to the sysctl", "127.0.0.1", int(sysctl.Idle / second), 0, 0, 0, conn.IPv4},
			{"user timeout", "127.0.0.1", 30, 5, 3, 45000, conn.IPv4},
			{"extremes", "127.0.0.1", 32767, 32767, 127, 0, conn.IPv4},
			{"ipv6", "::1", 60, 10, 6, 0, conn.IPv6},
			{"ipv4-mapped", "::ffff:127.0.0.1", 60, 10, 6, 0, conn.IPv6Mapped},
		} {
			t.Run(tt.name, func(t *testing.T) {
				p := connect(t, tt.addr)
				begun := time.Now()
				p.keepalive(t, tt.idle, tt.intvl, tt.cnt, tt.user)
				s := r.list(t).ofPair(t, p)
				want := sysctl
				var own conn.Setting
				if tt.idle != 0 {
					want.Idle, own = time.Duration(tt.idle)*second, own|conn.SettingIdle
				}
				if tt.intvl != 0 {
					want.Interval, own = time.Duration(tt.intvl)*second, own|conn.SettingInterval
				}
				if tt.cnt != 0 {
					want.Count, own = tt.cnt, own|conn.SettingCount
				}
				want.UserTimeout = time.Duration(tt.user) * time.Millisecond
				want.Inherited = conn.AllSettings &^ own
				if m == Netlink {
					// A value that equals the sysctl may be either's.
					if want.Idle == sysctl.Idle {
						own &^= conn.SettingIdle
					}
					want.Inherited, want.Unsure = 0, conn.AllSettings&^own
				}
				if s.Has&(HasOn|conn.HasKeepalive) != HasOn|conn.HasKeepalive || !s.On || s.Keepalive != want {
					t.Errorf("on %v, %+v\nwant %+v", s.On, s.Keepalive, want)
				}
				if s.Family != tt.family || s.Inode != p.inode || s.Process.PID != os.Getpid() || s.Netns == 0 || s.UID != uint32(os.Getuid()) {
					t.Errorf("identity: %+v", s)
				}
				if s.WaitsFor != conn.WaitsProbe {
					t.Errorf("waits for %q", s.WaitsFor)
				}
				near(t, begun, "next probe", s.Next, want.Idle, s.Has&conn.HasNext)
				dies := want.Idle + time.Duration(want.Count)*want.Interval
				if tt.user != 0 {
					dies = 45 * second // at the first firing after it: 30, 35, 40, 45
				}
				near(t, begun, "death", s.DiesIn, dies, s.Has&conn.HasDiesIn)
			})
		}
	})
}

// near: of a timer that was armed with want at that time, got is left.
func near(t *testing.T, begun time.Time, what string, got, want time.Duration, has conn.Fact) {
	t.Helper()
	since := time.Since(begun) // it takes seconds where the machine is busy
	// The jiffies' clock and the wheel's: a timer is rounded up to its level.
	if has == 0 || got < want-since-2*time.Second || got > want+want/8+2*time.Second {
		t.Errorf("%s in %s (known: %v), want about %s", what, got, has != 0, want)
	}
}

func TestStates(t *testing.T) {
	needsRoot(t)
	t.Parallel()
	eachMethod(t, func(t *testing.T, m Method) {
		r := open(t, Options{Method: m})
		off := connect(t, "127.0.0.1")
		closeWait := connect(t, "127.0.0.1")
		closeWait.closePeer()
		gone := connect(t, "127.0.0.1")
		gone.finWait2(t)
		// Only where it is to last longer than TIME_WAIT is it a whole socket.
		orphan := connect(t, "127.0.0.1")
		if err := unix.SetsockoptInt(orphan.ours, unix.IPPROTO_TCP, unix.TCP_LINGER2, 120); err != nil {
			t.Fatal(err)
		}
		orphan.closeOurs()
		flight := connect(t, "127.0.0.1")
		flight.keepalive(t, 60, 10, 6, 0)
		flight.vanish(t)
		if _, err := unix.Write(flight.ours, []byte("x")); err != nil {
			t.Fatal(err)
		}
		window := connect(t, "127.0.0.1")
		window.keepalive(t, 60, 10, 6, 0)
		window.fill(t)
		silent := connect(t, "127.0.0.1")
		silent.vanish(t)
		silent.keepalive(t, 1, 30, 3, 0)
		time.Sleep(1500 * time.Millisecond) // one probe is out, for long
		l := r.list(t)
		for _, tt := range []struct {
			name                 string
			pair                 *pair
			state                string
			on, settings, future bool
			waits                conn.Waiting
			unanswered           int
			owned                bool
			data                 bool
		}{
			{"off", off, "established", false, true, false, conn.WaitsNothing, 0, true, false},
			{"close_wait", closeWait, "close_wait", false, true, false, conn.WaitsNothing, 0, true, false},
			{"fin_wait2 mini-socket", gone, "fin_wait2", false, false, false, conn.WaitsFinWait2, 0, false, false},
			{"fin_wait2 orphan", orphan, "fin_wait2", false, m == BPF, false, conn.WaitsFinWait2, 0, false, false},
			{"data in flight", flight, "established", true, true, m == BPF, conn.WaitsRetransmission, 0, true, true},
			{"zero window", window, "established", true, true, false, conn.WaitsWindowProbe, -1, true, true},
			{"silent", silent, "established", true, true, true, conn.WaitsProbe, 1, true, false},
		} {
			s := l.ofPair(t, tt.pair)
			if s.TCPState.String() != tt.state || s.On != tt.on || (s.Has&conn.HasKeepalive != 0) != tt.settings || s.WaitsFor != tt.waits {
				t.Errorf("%s: %s on %v settings %v waits for %q", tt.name, s.TCPState, s.On, s.Has&conn.HasKeepalive != 0, s.WaitsFor)
			}
			if future := s.Has&conn.HasDiesIn != 0; future != tt.future || s.Has&conn.HasNext != 0 && !future {
				t.Errorf("%s: next %v, dies %v", tt.name, s.Has&conn.HasNext != 0, future)
			}
			if s.Stalled() != tt.data || tt.data != (s.Unacked > 0) || (s.Retransmits > 0) != (tt.waits == conn.WaitsRetransmission) {
				t.Errorf("%s: stalled %v, %d retransmits, %d bytes unacknowledged", tt.name, s.Stalled(), s.Retransmits, s.Unacked)
			}
			if s.Stalled() && s.Endless() != (tt.waits == conn.WaitsWindowProbe) {
				t.Errorf("%s: endless %v", tt.name, s.Endless())
			}
			if tt.unanswered >= 0 && s.Unanswered != tt.unanswered {
				t.Errorf("%s: %d unanswered", tt.name, s.Unanswered)
			}
			if owned := s.Process.PID == os.Getpid(); owned != tt.owned || owned != (s.Inode != 0) {
				t.Errorf("%s: owner %+v, inode %d", tt.name, s.Process, s.Inode)
			}
		}
		s := l.ofPair(t, silent)
		if s.Next > 32*time.Second || s.Next < 5*time.Second || s.DiesIn != s.Next+60*time.Second || s.IdleFor < 1400*time.Millisecond {
			t.Errorf("silent: next in %s, dies in %s, idle for %s", s.Next, s.DiesIn, s.IdleFor)
		}
	})
}

// TestNextProbeIsNotTheCountdown: data from the peer leaves the timer as it
// is, so it fires too early for a probe.
func TestNextProbeIsNotTheCountdown(t *testing.T) {
	needsRoot(t)
	eachMethod(t, func(t *testing.T, m Method) {
		r := open(t, Options{Method: m})
		p := connect(t, "127.0.0.1")
		p.keepalive(t, 20, 1, 2, 0)
		time.Sleep(2 * time.Second)
		if _, err := unix.Write(p.peer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		s := r.list(t).ofPair(t, p)
		if s.Next < s.expires+time.Second || s.Next < 17*time.Second || s.IdleFor > 3*time.Second {
			t.Errorf("timer in %s, next probe in %s, idle for %s", s.expires, s.Next, s.IdleFor)
		}
	})
}

// helperEnv makes this test binary the holder of a connection in a network
// namespace of its own.
const helperEnv = "INVENTORY_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	var st unix.Stat_t
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err == nil {
		err = unix.Stat(threadNetns, &st)
	}
	fd := -1
	if err == nil {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 77)
	}
	fmt.Printf("[%d, %t]\n", st.Ino, err == nil)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestAllNetns(t *testing.T) {
	needsRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"=1")
	line := childtest.Start(t, cmd).Line(t)
	var said []any
	if err := json.Unmarshal([]byte(line), &said); err != nil || said[1] != true {
		t.Fatalf("helper: %s, %v", line, err)
	}
	netns := uint32(said[0].(float64))
	// As a container's runtime has it: a process is in the namespace, and a descriptor
	// refers to it, too.
	held, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	find := func(t *testing.T, l *List) int {
		n := 0
		for _, s := range l.Sockets {
			if s.Netns == netns {
				n++
				if s.Process.PID != cmd.Process.Pid || s.Has&conn.HasKeepalive == 0 || s.Keepalive.Idle != 77*time.Second || s.TCPState != conn.TCPListen {
					t.Errorf("%+v", s)
				}
			}
		}
		return n
	}
	eachMethod(t, func(t *testing.T, m Method) {
		for _, tt := range []struct {
			name string
			o    Options
			want int
		}{
			{"ours", Options{Method: m}, 0},
			{"all", Options{Method: m, AllNetns: true}, 1},
			{"that one", Options{Method: m, Filter: conn.SocketFilter{Netns: []uint32{netns}}}, 1},
		} {
			r := open(t, tt.o)
			if n, each := find(t, r.list(t)), find(t, r.each(t)); n != tt.want || each != tt.want {
				t.Errorf("%s: %d sockets, %d one at a time, want %d", tt.name, n, each, tt.want)
			}
		}
	})
	if _, err := Snapshot(context.Background(), Options{Filter: conn.SocketFilter{Netns: []uint32{1}}}); err == nil {
		t.Error("a namespace that does not exist: no error")
	}
}
