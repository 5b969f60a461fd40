// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/childtest"
)

// apartHolder makes the test binary a process that holds one end of a connection
// otherwise than by a descriptor of its own table, in a network namespace of its
// own: as the value says. That end sends a probe a second, the other answers.
const apartHolder = "KATRACE_TEST_APART"

func init() {
	by, ok := os.LookupEnv(apartHolder)
	if !ok {
		return
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	shown := true
	if err == nil {
		shown, err = holdApart(by)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(shown)
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// holdApart makes the connection; shown says whether this kernel shows the holder.
func holdApart(by string) (shown bool, err error) {
	listener, addr, err := listening()
	if err != nil {
		return false, err
	}
	switch by {
	case conn.HeldByAcceptQueue.String():
		// What the listener has is inherited.
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		return true, errors.Join(err, everySecond(listener), unix.Connect(client, addr))
	case conn.HeldByThread.String():
		var made error
		err := childtest.InThread(nil, func() { _, made = probing(addr) })
		return true, errors.Join(err, made)
	case conn.HeldByIOUring.String():
		fd, err := probing(addr)
		if err != nil {
			return false, err
		}
		return holdDirect(fd)
	}
	return false, fmt.Errorf("held by %q", by)
}

func listening() (fd int, addr unix.Sockaddr, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return -1, nil, err
	}
	err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 8))
	if err == nil {
		addr, err = unix.Getsockname(fd)
	}
	return fd, addr, err
}

// probing connects, and has that end send probes.
func probing(to unix.Sockaddr) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return -1, err
	}
	return fd, errors.Join(unix.Connect(fd, to), everySecond(fd))
}

func everySecond(fd int) error {
	return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
}

// holdDirect gives the socket to an io_uring and closes its descriptor.
func holdDirect(fd int) (shown bool, err error) {
	const registerFiles = 2 // IORING_REGISTER_FILES
	var params [120]byte    // struct io_uring_params
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&params[0])), 0)
	if errno != 0 {
		return false, nil // not allowed here
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	files := [...]int32{int32(fd)}
	if _, _, errno = unix.Syscall6(unix.SYS_IO_URING_REGISTER, ring, registerFiles, uintptr(unsafe.Pointer(&files[0])), 1, 0, 0); errno != 0 {
		return false, errno
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", ring))
	return strings.Contains(string(text), fmt.Sprintf("socket:[%d]", st.Ino)), errors.Join(err, unix.Close(fd))
}

// TestHeldApart: who holds a socket that is in no process's own descriptor table
// is told in the stream and in the list, without the privileges that katrace has
// given up.
func TestHeldApart(t *testing.T) {
	beside(t)
	for by := conn.HeldByAcceptQueue; by <= conn.HeldByIOUring; by++ {
		t.Run(by.String(), func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), apartHolder+"="+by.String())
			cmd.Stderr = os.Stderr
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNET}
			child := childtest.Start(t, cmd)
			if child.Line(t) != "true" {
				t.Skip("this kernel does not show what an io_uring holds (before 6.14), or has none")
			}
			netns := fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid)
			r := start(t, "--netns", netns, "--event", "probe")
			var last events.Event
			waitFor(t, 2*time.Minute, "a probe with its owner", func() bool {
				for _, e := range r.seen() {
					if last = e; e.Process.PID != 0 {
						return true
					}
				}
				return false
			})
			if last.Process.PID != cmd.Process.Pid || last.HeldBy != by {
				t.Errorf("the stream: %+v, held by %q", last.Process, last.HeldBy)
			}
			r.stop()
			out, errs, status := katrace(t, "list", "--netns", netns, "--local-port", fmt.Sprint(last.Local.Port()), "--state", "established", "-o", "json")
			want := fmt.Sprintf(`"process":{"pid":%d,"comm":%q},"held_by":%q`, cmd.Process.Pid, last.Process.Comm, by)
			if status != 0 || !strings.Contains(out, want) {
				t.Errorf("the list: status %d, %s%s, want %s", status, out, errs, want)
			}
		})
	}
}

// TestFirstProbe: the first event of a new connection names its owner, and a
// filter by name lets it through. The scan has 50 ms for that, which a busy machine
// may take longer for, so katrace goes before all others here: most have to, and what
// has not is counted.
func TestFirstProbe(t *testing.T) {
	if !alone(t) {
		return
	}
	const conns, name = 8, "newcomer"
	first := func(args ...string) *run {
		cmd := command(slices.Concat([]string{"-o", "json", "--attach", string(anyBackend())}, moreFlags(), args)...)
		if os.Getenv("KATRACE_GUEST") == "" {
			preferred := exec.Command("nice", slices.Concat([]string{"-n", "-20"}, cmd.Args)...)
			preferred.SysProcAttr, cmd = cmd.SysProcAttr, preferred
		}
		r := follow(t, cmd)
		r.attached()
		return r
	}
	all := first("--addr", holderNetwork())
	named := first("--addr", holderNetwork(), "--comm", name)
	for range conns {
		startHolder(t, holder(name, ""))
	}
	const each = 3 // two probes and the end
	told := func(r *run) (n uint64) {
		for _, e := range r.seen() {
			if n += e.LeftOut + e.Lost.Missed; e.Kind != events.KindLost {
				n++
			}
		}
		return n
	}
	for _, r := range []*run{all, named} { // perhaps by two backends, of which one gives more events
		waitFor(t, 2*time.Minute, "the ends of the connections", func() bool { return told(r) >= conns*each })
	}
	had := map[conn.ID]bool{}
	owned := 0
	for _, e := range ofConns(all.stop()) {
		if had[e.ID()] {
			continue
		}
		if had[e.ID()] = true; e.Process.Comm == name && e.Process.PID != 0 {
			owned++
		}
	}
	if os.Getenv("KATRACE_GUEST") == "" && owned < conns/2 {
		t.Errorf("%d of %d connections' first events have an owner", owned, conns)
	}
	named.stop()
	if n := told(named); n < conns*each {
		t.Errorf("by name: %d events of %d told, or counted as left out", n, conns*each)
	}
	leftOut := uint64(0)
	for _, e := range named.seen() {
		leftOut += e.LeftOut
	}
	if said := named.stderr.String(); (leftOut > 0) != strings.Contains(said, "left out") {
		t.Errorf("%d left out, and it said: %s", leftOut, said)
	}
}

// ofConns are the events about connections.
func ofConns(all []events.Event) (some []events.Event) {
	for _, e := range all {
		if e.Kind != events.KindLost {
			some = append(some, e)
		}
	}
	return some
}
