// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/childtest"
)

// holdApart makes a socket in a thread that has a descriptor table of its own,
// and another name than its process.
func holdApart() {
	var inode uint64 // 0: it failed
	_ = childtest.InThread(nil, func() {
		name, _ := unix.BytePtrFromString("worker")
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
		inode = heldSocket()
	})
	say(inode)
}

// holdDirect makes a socket that only an io_uring holds, as a direct descriptor.
func holdDirect() (inode uint64) {
	const registerFiles = 2 // IORING_REGISTER_FILES
	var params [120]byte    // struct io_uring_params
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&params[0])), 0)
	if errno != 0 {
		return 0
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0
	}
	inode = inodeOf(fd)
	files := [...]int32{-1, int32(fd)}
	_, _, errno = unix.Syscall6(unix.SYS_IO_URING_REGISTER, ring, registerFiles, uintptr(unsafe.Pointer(&files[0])), uintptr(len(files)), 0, 0)
	if errno != 0 {
		return 0
	}
	_ = unix.Close(fd)
	// Whether this kernel tells, as it tells it of this process.
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", ring))
	if err != nil || !strings.Contains(string(text), fmt.Sprintf("socket:[%d]", inode)) {
		return 0
	}
	return inode
}

// ways are both ways of scanning, by name.
func ways(t *testing.T) map[string]func(func(found) bool) error {
	return map[string]func(func(found) bool) error{
		"/proc":     func(yield func(found) bool) error { return newProcFS().each(yield) },
		"task_file": needsFiles(t).each,
	}
}

// TestWaysAgreeApart: sockets outside the table of a process's first thread are found
// either way: in a thread's own table, in that of a process whose first thread has
// ended, and as an io_uring's direct descriptor. The process is named as ever.
func TestWaysAgreeApart(t *testing.T) {
	for _, c := range []struct {
		what string
		by   conn.HeldBy
	}{{"thread", conn.HeldByThread}, {"ended", 0}, {"uring", conn.HeldByIOUring}} {
		t.Run(c.what, func(t *testing.T) {
			child := startHelper(t, c.what)
			if c.what == "uring" && child.first == "0" {
				t.Skip("no io_uring here, or its fdinfo does not tell which sockets it holds (before 6.14)")
			}
			inode, pid := child.inode(t), child.Cmd.Process.Pid
			if c.what == "ended" {
				eventually(t, "its first thread has ended", func() bool { st, err := readStat(int32(pid)); return err == nil && st.state == 'Z' })
			}
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if err != nil {
				t.Fatal(err)
			}
			want := conn.Process{PID: pid, Comm: strings.TrimSpace(string(comm))}
			for way, each := range ways(t) {
				r := newResolver(t, Options{list: each})
				e := events.Event{State: conn.State{Inode: inode}}
				if r.Fill(&e, time.Now()); e.Process != want || e.HeldBy != c.by {
					t.Errorf("by %s: %+v, held by %q", way, e.Process, e.HeldBy)
				}
				s := &Scanner{}
				if way == "task_file" {
					s = NewScanner(true)
					defer s.Close()
				}
				table, err := s.Scan(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if h, ok := table.Find(inode); !ok || h.Process != want || h.HeldBy != c.by || h.Count != 1 || (h.Task == pid) != (c.what == "uring") {
					t.Errorf("listed by %s: %+v, %v", s.Way(), h, ok)
				}
				child := inode
				if c.what != "uring" {
					continue // what a ring holds is not looked at again
				}
				if p, ok := r.Lookup(child); !ok || p != want {
					t.Errorf("by %s, again: %+v", way, p)
				}
			}
		})
	}
}

// TestApartLetGo: a thread's descriptor is checked in its own table.
func TestApartLetGo(t *testing.T) {
	child := startHelper(t, "thread")
	inode := child.inode(t)
	for way, each := range ways(t) {
		seen := false
		if err := each(func(f found) bool {
			if f.inode == inode {
				seen = true
				if f.letGo() {
					t.Errorf("by %s: %+v is said to be let go of", way, f)
				}
				f.task = f.pid
				if !f.letGo() {
					t.Errorf("by %s: the process's own table holds it, too", way)
				}
			}
			return true
		}); err != nil || !seen {
			t.Errorf("by %s: %v, %v", way, seen, err)
		}
	}
}

// TestWaysAgreeQueued: a connection that nobody has accepted is in the queue of the
// process that listens, either way.
func TestWaysAgreeQueued(t *testing.T) {
	for way, each := range ways(t) {
		for _, network := range []string{"tcp4 127.0.0.1", "tcp4 0.0.0.0", "tcp6 [::1]", "tcp6 [::]", "tcp [::]"} {
			network, host, _ := strings.Cut(network, " ")
			l, err := net.Listen(network, host+":0")
			if err != nil {
				t.Log(err) // no IPv6 here
				continue
			}
			defer func() { _ = l.Close() }()
			if network == "tcp" && l.Addr().(*net.TCPAddr).IP.To4() != nil {
				continue // the same: it listens on IPv4 alone
			}
			port := uint16(l.Addr().(*net.TCPAddr).Port)
			e := events.Event{State: conn.State{Netns: ownNetns(t), TCPState: conn.TCPEstablished, Family: conn.IPv6}}
			switch network {
			case "tcp": // both
				e.Family, e.Local = conn.IPv6Mapped, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
			case "tcp4":
				e.Family, e.Local = conn.IPv4, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
			default:
				e.Local = netip.AddrPortFrom(netip.MustParseAddr("::1"), port)
			}
			o := Options{list: each, MinPause: 1}
			if way == "task_file" {
				o.list = nil // else the listeners are read from /proc as well
			}
			r := newResolver(t, o)
			got := e
			eventually(t, way+": the process that listens at "+l.Addr().String(), func() bool {
				got = e
				r.Fill(&got, time.Now())
				return got.Process.PID == os.Getpid()
			})
			if got.HeldBy != conn.HeldByAcceptQueue {
				t.Errorf("%s: held by %q", way, got.HeldBy)
			}
			for _, other := range []events.Event{
				{State: conn.State{Netns: e.Netns + 1, TCPState: e.TCPState, Family: e.Family, Local: e.Local}},
				{State: conn.State{Netns: e.Netns, TCPState: conn.TCPFinWait1, Family: e.Family, Local: e.Local}},
			} {
				if r.Fill(&other, time.Now()); other.Process.PID != 0 {
					t.Errorf("%s: %+v is said to be this process's", way, other)
				}
			}
		}
	}
}

func ownNetns(t *testing.T) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

// TestListeners: which of several sockets took a connection is told only where
// that is certain.
func TestListeners(t *testing.T) {
	at := netip.MustParseAddrPort
	var l Listeners
	l.Add(Listening{1, at("0.0.0.0:80"), false, 10})
	l.Add(Listening{1, at("10.0.0.1:80"), false, 11})
	l.Add(Listening{1, at("[::]:80"), true, 12})
	l.Add(Listening{1, at("[::ffff:10.0.0.1]:80"), true, 13})
	l.Add(Listening{1, at("[fe80::1]:80"), true, 14})
	l.Add(Listening{1, at("0.0.0.0:81"), false, 15})
	l.Add(Listening{1, at("0.0.0.0:81"), false, 16})
	l.Add(Listening{1, at("0.0.0.0:81"), false, 16})
	for _, c := range []struct {
		netns  uint32
		family conn.Family
		local  string
		want   string
	}{
		{1, conn.IPv4, "10.0.0.2:80", "[10]"},
		{1, conn.IPv4, "10.0.0.1:80", "[11]"},
		{1, conn.IPv6Mapped, "10.0.0.2:80", "[12]"},
		{1, conn.IPv6Mapped, "10.0.0.1:80", "[13]"},
		{1, conn.IPv6, "[fe80::1]:80", "[14]"},
		{1, conn.IPv6, "[fe80::2]:80", "[12]"},
		{1, conn.IPv4, "10.0.0.1:81", "[15 16]"},
		{2, conn.IPv4, "10.0.0.1:80", "[]"},
		{1, conn.IPv4, "10.0.0.1:8080", "[]"},
		{1, conn.IPv6, "[fe80::1]:81", "[]"},
	} {
		got := []uint64{}
		l.Find(c.netns, c.family, at(c.local), func(inode uint64) { got = append(got, inode) })
		if fmt.Sprint(got) != c.want {
			t.Errorf("%d %v %s: %v, want %s", c.netns, c.family, c.local, got, c.want)
		}
	}
}
