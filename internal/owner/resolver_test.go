// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/childtest"
)

// helper runs this test binary again as another process: it holds sockets and
// says what it did on its standard output, until its standard input ends.
const helperEnv = "OWNER_TEST_HELPER"

func TestMain(m *testing.M) {
	if what := os.Getenv(helperEnv); what != "" {
		helper(what)
		return
	}
	os.Exit(m.Run())
}

func helper(what string) {
	runtime.LockOSThread()
	if what == "netns" {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			fmt.Println(0)
			return
		}
	}
	if comm, ok := strings.CutPrefix(what, "comm="); ok {
		_ = os.WriteFile("/proc/self/comm", []byte(comm), 0)
	}
	if what == "pidns" {
		fmt.Println(NewScanner(true).Way())
		return
	}
	if what == "hold" { // descriptor 3 was handed down
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	switch what {
	case "thread":
		holdApart()
	case "ended":
		go func() { say(heldSocket()) }()
		// Not exit_group(2): this thread alone ends, which is the process's first.
		_, _, _ = syscall.Syscall(unix.SYS_EXIT, 0, 0, 0)
	case "uring":
		fmt.Println(holdDirect())
		_, _ = io.Copy(io.Discard, os.Stdin)
	default:
		say(heldSocket())
	}
}

// say says the number and waits for the end.
func say(inode uint64) {
	fmt.Println(inode)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func heldSocket() uint64 {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0
	}
	return inodeOf(fd)
}

func inodeOf(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

type child struct {
	*childtest.Child
	first string
}

func startHelper(t *testing.T, what string, files ...*os.File) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+what)
	cmd.ExtraFiles = files
	if what == "pidns" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	}
	c := childtest.Start(t, cmd)
	return &child{c, c.Line(t)}
}

func (c *child) inode(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(c.first, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("helper said %q", c.first)
	}
	return n
}

func newResolver(t *testing.T, o Options) *Resolver {
	t.Helper()
	r := New(o)
	t.Cleanup(r.Close)
	<-r.first
	return r
}

// eventually waits for a lookup to give what is wanted: the scans have their pauses.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	childtest.WaitFor(t, 2*time.Minute, what, ok)
}

func TestLookupOwnSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	inode := inodeOf(int(f.Fd()))
	r := newResolver(t, Options{})
	p, ok := r.Lookup(inode)
	if !ok || p.PID != os.Getpid() || p.Comm == "" {
		t.Fatalf("got %+v, %v", p, ok)
	}
	e := events.Event{State: conn.State{Inode: inode}}
	r.Fill(&e, time.Now())
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if e.Process != p || e.Cgroup != parseProcCgroup(text) {
		t.Errorf("filled %+v", e)
	}
	_, _ = f.Close(), l.Close()
	if p, ok := r.Lookup(inode); ok {
		t.Errorf("after close: %+v", p)
	}
}

func TestLookupLater(t *testing.T) {
	r := newResolver(t, Options{MinPause: 50 * time.Millisecond})
	c := startHelper(t, "socket")
	inode := c.inode(t)
	eventually(t, "owner of a socket made after the first scan", func() bool {
		p, ok := r.Lookup(inode)
		return ok && p.PID == c.Cmd.Process.Pid
	})
	c.End()
	if p, ok := r.Lookup(inode); ok {
		t.Errorf("after the process's end: %+v", p)
	}
	// Without checks, too, once the scan or the check of processes has seen it.
	r.checks.limit = 0
	eventually(t, "the exited owner is forgotten", func() bool { _, ok := r.Lookup(inode); return !ok })
}

func TestLookupOtherNetns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	c := startHelper(t, "netns")
	r := newResolver(t, Options{})
	if p, ok := r.Lookup(c.inode(t)); !ok || p.PID != c.Cmd.Process.Pid {
		t.Errorf("got %+v, %v", p, ok)
	}
}

// TestLookupShared: a socket that several processes hold belongs to the oldest
// of them, and to the next when that one ends or closes it.
func TestLookupShared(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	inode := inodeOf(fd)
	one := startHelper(t, "hold", f)
	time.Sleep(20 * time.Millisecond) // a start time is counted in 10 ms
	two := startHelper(t, "hold", f)
	r := newResolver(t, Options{MinPause: 50 * time.Millisecond})
	if p, ok := r.Lookup(inode); !ok || p.PID != os.Getpid() {
		t.Errorf("shared by three: %+v, %v", p, ok)
	}
	_ = f.Close()
	eventually(t, "the first child owns it", func() bool {
		p, ok := r.Lookup(inode)
		if ok && p.PID == os.Getpid() {
			t.Fatalf("this process has closed it")
		}
		return ok && p.PID == one.Cmd.Process.Pid
	})
	one.End()
	eventually(t, "the second child owns it", func() bool {
		p, ok := r.Lookup(inode)
		if ok && p.PID == one.Cmd.Process.Pid {
			t.Fatalf("the first child has ended")
		}
		return ok && p.PID == two.Cmd.Process.Pid
	})
}

func TestHostileComm(t *testing.T) {
	const comm = "\x1b[2J) 0 (\n"
	c := startHelper(t, "comm="+comm)
	r := newResolver(t, Options{})
	p, ok := r.Lookup(c.inode(t))
	if !ok || p.Comm != comm {
		t.Fatalf("got %q, %v", p.Comm, ok)
	}
	line := (&conn.State{Owner: conn.Owner{Process: p}}).AppendOwner(nil)
	if i := strings.IndexFunc(string(line), func(c rune) bool { return c < ' ' }); i >= 0 {
		t.Errorf("a control character reaches the terminal: %q", line)
	}
}

// TestLookupNeverWaits: a scan that does not come to its end keeps nobody
// waiting, and what was asked for in vain takes bounded room.
func TestLookupNeverWaits(t *testing.T) {
	stuck := make(chan struct{})
	r := New(Options{list: func(func(found) bool) error { <-stuck; return nil }, MinPause: time.Millisecond})
	defer r.Close()
	ask := func(from uint64) {
		for i := range uint64(100_000) {
			e := events.Event{State: conn.State{Inode: from + i}}
			if r.Fill(&e, time.Now()); e.Process.PID != 0 {
				t.Errorf("socket %d has an owner", e.Inode)
			}
		}
	}
	var wg sync.WaitGroup
	for i := range uint64(4) {
		wg.Go(func() { ask(1 + i*1_000_000) })
	}
	wg.Wait()
	if n := r.scans.Load(); n != 0 {
		t.Fatalf("%d scans have ended", n)
	}
	close(stuck)
	<-r.first
	for round := range uint64(10) {
		ask(10_000_000 + round*1_000_000)
		scans := r.scans.Load()
		eventually(t, "another scan", func() bool { r.Lookup(99_000_000 + round); return r.scans.Load() > scans })
	}
	r.missMu.Lock()
	missed := len(r.missed)
	r.missMu.Unlock()
	r.mu.RLock()
	unknown := len(r.unknown)
	r.mu.RUnlock()
	if missed > maxMissed || unknown > maxUnknown+maxMissed {
		t.Errorf("unbounded: %d missed, %d unknown", missed, unknown)
	}
}

// TestCloseEndsTheScan: the first scan, which makes no pauses, too.
func TestCloseEndsTheScan(t *testing.T) {
	ended := make(chan struct{})
	r := New(Options{list: func(yield func(found) bool) error {
		defer close(ended)
		for i := uint64(1); yield(found{inode: i%1000 + 1, pid: int32(os.Getpid()), task: int32(os.Getpid())}); i++ {
		}
		return nil
	}})
	go r.Close()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the scan goes on")
	}
}

// TestScansAreBounded: however often unknown sockets are asked for, a scan
// comes after a rest of ten times what the last one took.
func TestScansAreBounded(t *testing.T) {
	const cost = 5 * time.Millisecond
	r := New(Options{list: func(func(found) bool) error { time.Sleep(cost); return nil }, MinPause: time.Millisecond})
	defer r.Close()
	<-r.first
	begun := time.Now()
	for i := uint64(1); time.Since(begun) < time.Second || r.scans.Load() < 2 && time.Since(begun) < time.Minute; i++ {
		r.Lookup(i % 500_000)
	}
	most := uint64(time.Since(begun)/((restOnMiss+1)*cost)) + 2
	if n := r.scans.Load(); n < 2 || n > most {
		t.Errorf("%d scans, want 2 to %d", n, most)
	}
}

func TestFillCgroup(t *testing.T) {
	r := newResolver(t, Options{})
	if r.cgroups.mount < 0 {
		t.Skip("no cgroup v2 here")
	}
	if os.Geteuid() != 0 {
		t.Skip("making a cgroup needs root")
	}
	const slice = "kubepods-pod" + uidU + ".slice"
	const name = slice + "/crio-" + id64 + ".scope"
	dir := filepath.Join(r.cgroups.at, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = os.Remove(dir), os.Remove(filepath.Join(r.cgroups.at, slice)) })
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	id := st.Ino
	e := events.Event{State: conn.State{Owner: conn.Owner{CgroupID: id}}}
	if r.Fill(&e, time.Now()); e.Cgroup != "/"+name || e.Container != id64 || e.Pod != uid {
		t.Errorf("got %q, container %q, pod %q", e.Cgroup, e.Container, e.Pod)
	}
	pods := t.TempDir()
	makeDirs(t, pods, "shop_cart-0_"+uid)
	r.opts.Names = OpenNames(pods, false)
	e = events.Event{State: conn.State{Owner: conn.Owner{CgroupID: id}}}
	if r.Fill(&e, time.Now()); e.PodNamespace != "shop" || e.PodName != "cart-0" {
		t.Errorf("the pod is %q/%q", e.PodNamespace, e.PodName)
	}
	if err := syscall.Rmdir(dir); err != nil {
		t.Fatal(err)
	}
	e = events.Event{State: conn.State{Owner: conn.Owner{CgroupID: id}}}
	if r.Fill(&e, time.Now()); e.Cgroup != "/"+name || e.Container != id64 || e.Pod != uid {
		t.Errorf("what an id was found to be is forgotten: %q, container %q, pod %q", e.Cgroup, e.Container, e.Pod)
	}
	if got, _ := newCgroups("/proc/self/mountinfo").find(id, 0); got != "" {
		t.Errorf("a removed cgroup has the path %q", got)
	}
	e = events.Event{}
	if r.Fill(&e, time.Now()); e.Cgroup != "" {
		t.Errorf("id 0 has the path %q", e.Cgroup)
	}
}

func BenchmarkLookup(b *testing.B) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	inode := inodeOf(fd)
	r := New(Options{})
	defer r.Close()
	<-r.first
	bench := func(name string, limit int64, inode uint64, want bool) {
		b.Run(name, func(b *testing.B) {
			r.checks.limit = limit
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := r.Lookup(inode); ok != want {
					b.Fatal(ok)
				}
			}
		})
	}
	bench("unchecked", 0, inode, true)
	bench("checked", 1<<40, inode, true)
	bench("unknown", 0, 1<<31, false)
}

// Lookup is lookup as tests compare it.
func (r *Resolver) Lookup(inode uint64) (conn.Process, bool) {
	p, _ := r.lookup(inode, r.now())
	if p == nil {
		return conn.Process{}, false
	}
	return conn.Process{PID: int(p.pid), Comm: p.comm}, true
}

// remembered is how many sockets are.
func (r *Resolver) remembered() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sockets.Len()
}
