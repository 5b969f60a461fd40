// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// requireEnv, where it is set, says that this machine has to be able to load
// BPF iterators: a test that would be skipped fails.
const requireEnv = "KATRACE_REQUIRE_BPF"

// needsFiles opens the BPF iterator, or skips the test.
func needsFiles(t testing.TB) *files {
	t.Helper()
	f, err := openFiles()
	if err != nil && os.Getenv(requireEnv) != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(f.close)
	return f
}

// TestWaysAgree: the iterator and /proc find the same descriptors of the same
// sockets: those of this process and of others, shared ones, and the network
// namespaces; but no sockets that are not TCP's.
func TestWaysAgree(t *testing.T) {
	iter := needsFiles(t)
	var opened []int
	socket := func(family, kind int) uint64 {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, fd)
		return inodeOf(fd)
	}
	tcp4, tcp6 := socket(unix.AF_INET, unix.SOCK_STREAM), uint64(0)
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		_ = l.Close() // it would be closed between two scans if it were left
		tcp6 = socket(unix.AF_INET6, unix.SOCK_STREAM)
	}
	udp, local := socket(unix.AF_INET, unix.SOCK_DGRAM), socket(unix.AF_UNIX, unix.SOCK_STREAM)
	again, err := unix.FcntlInt(uintptr(opened[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	opened = append(opened, ns)
	dup := os.NewFile(uintptr(again), "socket")
	defer func() { _ = dup.Close() }()
	defer func() {
		for _, fd := range opened {
			_ = unix.Close(fd)
		}
	}()
	other := startHelper(t, "socket")
	shared := startHelper(t, "hold", dup)
	mine := map[int32]bool{int32(os.Getpid()): true, int32(other.Cmd.Process.Pid): true, int32(shared.Cmd.Process.Pid): true}

	type key struct{ pid, fd int32 }
	collect := func(each func(func(found) bool) error) map[key]uint64 {
		got := map[key]uint64{}
		if err := each(func(f found) bool {
			if f.inode == 0 {
				if _, ok := f.netns(); !ok {
					return true // another kind of namespace, which only the iterator tells
				}
			}
			if mine[f.pid] && f.inode != udp && f.inode != local {
				got[key{f.pid, f.fd}] = f.inode
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	byIter, byProc := collect(iter.each), collect(newProcFS().each)
	// Standard input and output of the helpers are pipes or sockets of package
	// os/exec, and this process's may be sockets of any kind.
	for k := range byProc {
		if _, ok := byIter[k]; !ok && !isTCP(k.pid, k.fd) {
			delete(byProc, k)
		}
	}
	if diff := cmp.Diff(byProc, byIter); diff != "" {
		t.Errorf("by /proc (-) and by the iterator (+):\n%s", diff)
	}
	count := map[uint64]int{}
	for _, inode := range byIter {
		count[inode]++
	}
	if count[tcp4] != 3 || tcp6 != 0 && count[tcp6] != 1 || count[other.inode(t)] != 1 || count[0] != 1 {
		t.Errorf("found %v: want socket %d three times, %d, %d and a namespace once", count, tcp4, tcp6, other.inode(t))
	}
	n := 0
	if err := iter.each(func(f found) bool {
		if f.inode == udp || f.inode == local {
			n++
		}
		return true
	}); err != nil || n > 0 {
		t.Errorf("the iterator tells of %d sockets that are not TCP's, %v", n, err)
	}
}

// TestReadsByLoads: a kernel that can read fields by loads takes the program that does,
// unless it interprets programs.
func TestReadsByLoads(t *testing.T) {
	if f := needsFiles(t); f.slow != nil && os.Getenv("KATRACE_ENVIRONMENT") != "nojit" {
		t.Error(f.slow)
	}
}

// isTCP says whether a descriptor of this process is a TCP socket.
func isTCP(pid, fd int32) bool {
	if pid != int32(os.Getpid()) {
		return false
	}
	kind, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return err == nil && kind == unix.IPPROTO_TCP
}

// TestScan: a list's scan gives the oldest holder, and counts them, either way.
func TestScan(t *testing.T) {
	for _, bpf := range []bool{false, true} {
		s := NewScanner(bpf)
		defer s.Close()
		t.Run(s.Way(), func(t *testing.T) {
			if bpf && s.files == nil {
				needsFiles(t)
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			f := os.NewFile(uintptr(fd), "socket")
			defer func() { _ = f.Close() }()
			inode := inodeOf(fd)
			startHelper(t, "hold", f)
			startHelper(t, "hold", f)
			ns, err := os.Open("/proc/self/ns/net")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ns.Close() }()
			table, err := s.Scan(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			h, ok := table.Find(inode)
			if !ok || h.Process.PID != os.Getpid() || h.FD != fd || h.Count != 3 || h.Process.Comm == "" {
				t.Errorf("got %+v, %v", h, ok)
			}
			if len(table.Netns) == 0 {
				t.Error("a descriptor refers to a namespace, and none is found")
			}
			if h, ok := table.Find(0); ok {
				t.Errorf("orphans have the owner %+v", h)
			}
		})
	}
}

// TestScanNetns: a namespace that several processes have a descriptor of is found by the
// oldest one's: a child's may be gone at once.
func TestScanNetns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	opened := make(chan *os.File, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		f, err := os.Open("/proc/thread-self/ns/net")
		if err == nil {
			_ = f.Close()
			if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
				f, err = os.Open("/proc/thread-self/ns/net")
			}
		}
		if err != nil {
			t.Error(err)
		}
		opened <- f
	}()
	ns := <-opened
	if t.Failed() {
		return
	}
	defer func() { _ = ns.Close() }()
	for range 3 {
		startHelper(t, "hold", ns)
	}
	for _, bpf := range []bool{false, true} {
		s := NewScanner(bpf)
		defer s.Close()
		table, err := s.Scan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(ns.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		if got, want := table.Netns[uint32(st.Ino)], fmt.Sprintf("/proc/%d/", os.Getpid()); !strings.HasPrefix(got, want) {
			t.Errorf("by %s: %q, want %s...", s.Way(), got, want)
		}
	}
}

// TestOtherProc: under a /proc of another pid namespace the iterator's pids
// would be other processes'.
func TestOtherProc(t *testing.T) {
	needsFiles(t)
	if os.Geteuid() != 0 {
		t.Skip("making a pid namespace needs root")
	}
	c := startHelper(t, "pidns")
	if c.first != "/proc" {
		t.Errorf("in a pid namespace of its own, under the outer /proc: %s", c.first)
	}
}

// BenchmarkScan goes through all descriptors of this machine.
func BenchmarkScan(b *testing.B) {
	run := func(name string, each func(func(found) bool) error) {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = 0
				if err := each(func(f found) bool {
					n++
					return true
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "descriptors")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(1, n)), "ns/descriptor")
		})
	}
	run("proc", newProcFS().each)
	run("task_file", needsFiles(b).each)
}
