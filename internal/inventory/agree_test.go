// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/owner"
)

// told is what a list says of a socket. What the two methods may tell
// differently is left out: who set a value that is the sysctl's as well.
type told struct {
	Family    conn.Family
	State     conn.TCPState
	Remote    netip.AddrPort
	Inode     uint64
	Process   conn.Process
	HeldBy    conn.HeldBy
	Holders   int
	UID       uint32
	Cgroup    string
	Container string
	Pod       string
	On        bool
	Settings  conn.Settings
	WaitsFor  conn.Waiting
	Data      conn.Data

	Unanswered               int
	IdleFor, NextProbe, Dies moment
	Has                      conn.Fact
}

// moment is a time that goes on between two lists.
type moment time.Duration

func tell(s *Socket) told {
	t := told{
		s.Family, s.TCPState, s.Remote, s.Inode, s.Process, s.HeldBy, s.Holders, s.UID, s.Cgroup, s.Container, s.Pod, s.On, s.Keepalive, s.WaitsFor, s.Data,
		s.Unanswered, moment(s.IdleFor), moment(s.Next), moment(s.DiesIn), s.Has &^ hasTimer,
	}
	t.Settings.Inherited, t.Settings.Unsure = 0, 0
	if s.Stalled() { // only BPF tells
		t.Dies, t.Has = 0, t.Has&^conn.HasDiesIn
	}
	fd, err := unix.PidfdOpen(unix.Gettid(), unix.PIDFD_THREAD)
	if err == nil {
		_ = unix.Close(fd)
	}
	threads := !errors.Is(err, unix.EINVAL)                        // from 6.9 on
	if s.Inode == 0 || s.HeldBy == conn.HeldByThread && !threads { // nobody can be asked: the iterator knows more
		t.NextProbe, t.Dies = 0, 0
		t.UID, t.On, t.Settings, t.Has = 0, false, conn.Settings{}, 0
	}
	return t
}

// TestMethodsAgree: both methods, each with its own way of finding holders, say
// the same of the same sockets; by BPF also where each field is read by a call, which a
// file with the kernel's types is good for, and where no list is kept.
func TestMethodsAgree(t *testing.T) {
	needsRoot(t)
	loopbackUp(t)
	needsBPF(t)
	byBPF, byNetlink := open(t, Options{Method: BPF}), open(t, Options{Method: Netlink})
	byCalls := byBPF
	if types := "/sys/kernel/btf/vmlinux"; exists(types) {
		byCalls = open(t, Options{Method: BPF, BTF: types})
	}
	type ends struct{ local, remote netip.AddrPort }
	staged := map[ends]string{}
	add := func(name, addr string, then func(*pair)) {
		p := connect(t, addr)
		staged[ends{p.local, p.remote}] = name
		then(p)
	}
	waiting := func(name, addr string, then func(*pair)) {
		p := connectOnly(t, addr)
		staged[ends{p.remote, p.local}] = name
		then(p)
	}
	apart(t, func() { add("thread", "127.0.0.1", func(p *pair) { p.keepalive(t, 60, 10, 6, 0) }) })
	waiting("not accepted", "127.0.0.1", func(*pair) {})
	waiting("not accepted, ipv6", "::1", func(*pair) {})
	waiting("not accepted, mapped", "::ffff:127.0.0.1", func(*pair) {})
	waiting("not accepted, closed", "127.0.0.1", func(p *pair) { p.closeOurs() })
	add("off", "127.0.0.1", func(*pair) {})
	add("inherited", "127.0.0.1", func(p *pair) { p.keepalive(t, 0, 0, 0, 0) })
	add("set", "127.0.0.1", func(p *pair) { p.keepalive(t, 60, 10, 6, 0) })
	add("user timeout", "127.0.0.1", func(p *pair) { p.keepalive(t, 30, 5, 3, 45_000) })
	add("ipv6", "::1", func(p *pair) { p.keepalive(t, 60, 0, 0, 0) })
	add("mapped", "::ffff:127.0.0.1", func(p *pair) { p.keepalive(t, 0, 0, 4, 0) })
	add("close_wait", "127.0.0.1", func(p *pair) { p.closePeer() })
	add("fin_wait2", "127.0.0.1", func(p *pair) { p.finWait2(t) })
	add("fin_wait2 orphan", "127.0.0.1", func(p *pair) {
		if err := unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_LINGER2, 120); err != nil {
			t.Fatal(err)
		}
		p.closeOurs()
	})
	add("in flight", "127.0.0.1", func(p *pair) {
		p.keepalive(t, 60, 10, 6, 0)
		p.vanish(t)
		if _, err := unix.Write(p.ours, []byte("x")); err != nil {
			t.Fatal(err)
		}
	})
	add("window", "127.0.0.1", func(p *pair) { p.keepalive(t, 60, 10, 6, 0); p.fill(t) })
	add("silent", "127.0.0.1", func(p *pair) { p.vanish(t); p.keepalive(t, 1, 30, 3, 0) })
	time.Sleep(1500 * time.Millisecond) // one probe is out

	holders := map[string]conn.HeldBy{"thread": conn.HeldByThread, "not ac": conn.HeldByAcceptQueue}
	pick := func(l *List) map[string]told {
		got := map[string]told{}
		if want := map[Method]string{BPF: "task_file", Netlink: "/proc"}[l.Method]; l.Took.Scanned != want {
			t.Errorf("%s: holders found by %s, want %s", l.Method, l.Took.Scanned, want)
		}
		for i := range l.Sockets {
			s := &l.Sockets[i]
			if name := staged[ends{s.Local, s.Remote}]; name != "" {
				got[name] = tell(s)
				if want := holders[name[:min(len(name), 6)]]; s.HeldBy != want || want != 0 && s.Process.PID != os.Getpid() {
					t.Errorf("%s by %s: held by %q of %+v, want %q", name, l.Method, s.HeldBy, s.Process, want)
				}
			}
		}
		return got
	}
	near := cmp.Comparer(func(a, b moment) bool { return max(a-b, b-a) < moment(5*time.Second) })
	var diff string
	// Retransmissions and probes go on meanwhile: one pair of lists has to agree.
	for range 5 {
		netlink, bpf, calls, each := pick(byNetlink.list(t)), pick(byBPF.list(t)), pick(byCalls.list(t)), pick(byBPF.each(t))
		if len(netlink) != len(staged) {
			t.Fatalf("%d sockets listed of %d", len(netlink), len(staged))
		}
		same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
		if diff = cmp.Diff(netlink, bpf, near, same) + cmp.Diff(calls, bpf, near, same) + cmp.Diff(each, bpf, near, same); diff == "" {
			return
		}
	}
	t.Errorf("netlink, bpf by calls, or one at a time (-), bpf (+):\n%s", diff)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestQueuedByListenersInode: a connection that is listed with its listener's
// inode has not been accepted.
func TestQueuedByListenersInode(t *testing.T) {
	g := gatherer{list: &List{}, o: &Options{}, inodes: map[uint64]bool{}}
	g.take = g.keep
	local := netip.MustParseAddrPort("127.0.0.1:80")
	for _, s := range []Socket{
		{State: conn.State{TCPState: conn.TCPListen, Family: conn.IPv4, Inode: 5, Local: local}},
		{State: conn.State{TCPState: conn.TCPEstablished, Family: conn.IPv4, Inode: 5, Local: local}},
		{State: conn.State{TCPState: conn.TCPEstablished, Family: conn.IPv4, Inode: 6, Local: local}},
	} {
		g.add(&s)
	}
	paths := owner.NewCgroupPaths()
	defer paths.Close()
	g.each(func(s *Socket) { g.owner(&owner.Table{}, paths, s) })
	for i, want := range []Socket{{State: conn.State{Inode: 5}}, {State: conn.State{Owner: conn.Owner{HeldBy: conn.HeldByAcceptQueue}}}, {State: conn.State{Inode: 6}}} {
		if got := g.list.Sockets[i]; got.Inode != want.Inode || got.HeldBy != want.HeldBy {
			t.Errorf("socket %d: inode %d, held by %q", i, got.Inode, got.HeldBy)
		}
	}
}
