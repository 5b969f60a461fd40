// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// found is a descriptor that refers to a socket, or to a namespace (inode 0).
type found struct {
	inode   uint64
	pid     int32       // the process
	task    int32       // the thread in whose table the descriptor is; pid: the process's own
	fd      int32       // by HeldByIOUring: of the io_uring
	by      conn.HeldBy // 0, HeldByThread or HeldByIOUring
	listens *Listening  // where the socket listens and this way of scanning tells
}

// procFS reads which process holds which socket from /proc/PID/fd, where no BPF
// iterator can be had. It is written on the system calls because a machine may
// have a million descriptors: package os would allocate several times for each.
// Not safe for concurrent use.
type procFS struct {
	dirents [32 << 10]byte
	link    [64]byte
	threads []int32
	tables  []int32 // a thread for each descriptor table of the process
	foreign bool    // /proc is that of another pid namespace
}

func newProcFS() *procFS { return &procFS{foreign: !ownProc()} }

// ownProc says whether /proc shows the pids of our own pid namespace. That of
// another one (unshare --pid without --mount-proc) shows others.
func ownProc() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// each calls yield for every descriptor of every process, those of a process in
// a row, until it says false.
func (s *procFS) each(yield func(found) bool) error {
	pids, err := pids()
	if err != nil {
		return err
	}
	more := true
	for _, pid := range pids {
		// A process that cannot be read, or ends meanwhile, has what was seen so far.
		_ = s.process(pid, func(f found) bool {
			more = yield(f)
			return more
		})
		if !more {
			break
		}
	}
	return nil
}

// process calls yield for every descriptor of the process that refers to a
// socket or to a network namespace, and for every socket of its io_urings, until
// it says false.
func (s *procFS) process(pid int32, yield func(found) bool) error {
	more, err := s.table(found{pid: pid, task: pid}, yield)
	if err == nil && more {
		s.apart(pid, yield)
	}
	return err
}

// apart goes through the threads that do not share the descriptor table of the
// process's first thread: they have one of their own (unshare(CLONE_FILES)), or
// that thread has ended.
func (s *procFS) apart(pid int32, yield func(found) bool) {
	path := taskPath(pid, pid) + "/task"
	var st unix.Stat_t
	// Its links are the threads, "." and ".." (proc_task_getattr). kcmp(2) takes
	// pids of our own namespace.
	if s.foreign || unix.Stat(path, &st) == nil && st.Nlink <= 3 {
		return
	}
	s.threads, s.tables = s.threads[:0], append(s.tables[:0], pid)
	_ = s.numbers(path, func(tid int32, _ int, _ *byte) bool {
		s.threads = append(s.threads, tid)
		return true
	})
	by := conn.HeldBy(0)
	for _, tid := range s.threads {
		if tid == pid || slices.ContainsFunc(s.tables, func(other int32) bool { return !differ(tid, other) }) {
			continue
		}
		if len(s.tables) == 1 {
			if p, err := readStat(pid); err == nil && p.state != 'Z' {
				by = conn.HeldByThread
			}
		}
		s.tables = append(s.tables, tid)
		if more, _ := s.table(found{pid: pid, task: tid, by: by}, yield); !more {
			return
		}
	}
}

// differ says whether two threads are known to have different descriptor tables.
func differ(one, other int32) bool {
	const kcmpFiles = 2 // KCMP_FILES in linux/kcmp.h
	order, _, errno := syscall.Syscall6(unix.SYS_KCMP, uintptr(one), uintptr(other), kcmpFiles, 0, 0, 0)
	return errno == 0 && order != 0
}

// table goes through one descriptor table, that of f.task.
func (s *procFS) table(f found, yield func(found) bool) (more bool, err error) {
	more = true
	var rings []int32
	err = s.numbers(taskPath(f.pid, f.task)+"/fd", func(fd int32, dir int, name *byte) bool {
		got, _, errno := syscall.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(&s.link[0])), uintptr(len(s.link)), 0, 0)
		if errno != 0 {
			return true
		}
		var socket bool
		if f.inode, socket = parseLink(s.link[:got], "socket:["); !socket {
			if string(s.link[:got]) == ringLink {
				rings = append(rings, fd)
				return true
			}
			if _, ok := parseLink(s.link[:got], "net:["); !ok {
				return true
			}
		}
		f.fd = fd
		more = yield(f)
		return more
	})
	for _, fd := range rings {
		if more {
			more = eachDirect(found{pid: f.pid, task: f.task, fd: fd}, yield)
		}
	}
	return more, err
}

// numbers calls yield for each name in the directory that is a number, with the
// number, a descriptor of the directory and the name as system calls want it,
// until it says false.
func (s *procFS) numbers(path string, yield func(n int32, dir int, name *byte) bool) error {
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { _ = unix.Close(dir) }()
	for {
		n, err := unix.Getdents(dir, s.dirents[:])
		if err != nil {
			return fmt.Errorf("list %s: %w", path, err)
		}
		if n == 0 {
			return nil
		}
		for rest := s.dirents[:n]; len(rest) > 0; {
			// By its bytes: a struct unix.Dirent may be longer than what is left.
			size := binary.NativeEndian.Uint16(rest[unsafe.Offsetof(unix.Dirent{}.Reclen):])
			name := rest[unsafe.Offsetof(unix.Dirent{}.Name):size]
			rest = rest[size:]
			if n, ok := parseFD(name); ok && !yield(n, dir, &name[0]) { // it ends with a NUL
				return nil
			}
		}
	}
}

// parseFD reads a NUL-terminated descriptor number; "." and ".." are none.
func parseFD(name []byte) (int32, bool) {
	var n int32
	for i, c := range name {
		if c == 0 {
			return n, i > 0
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int32(c-'0')
	}
	return 0, false
}

// parseLink reads the inode number of a link target such as "socket:[81932]".
func parseLink(target []byte, prefix string) (uint64, bool) {
	if len(target) < len(prefix)+2 || string(target[:len(prefix)]) != prefix || target[len(target)-1] != ']' {
		return 0, false
	}
	var n uint64
	for _, c := range target[len(prefix) : len(target)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n != 0
}

// readFD reads what a descriptor in the table of that thread refers to into
// link: one readlink, a few microseconds, no allocation.
func readFD(pid, task, fd int32, link *[64]byte) ([]byte, unix.Errno) {
	var path [96]byte
	p := append(appendTaskPath(path[:0], pid, task), "/fd/"...)
	p = strconv.AppendInt(p, int64(fd), 10)
	p = append(p, 0)
	at := unix.AT_FDCWD
	n, _, errno := syscall.Syscall6(unix.SYS_READLINKAT, uintptr(at), uintptr(unsafe.Pointer(&p[0])),
		uintptr(unsafe.Pointer(&link[0])), uintptr(len(link)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return link[:n], 0
}

// letGo says whether the descriptor has been let go of: whether it is known not
// to refer to the socket any more. A process that may not be looked at has not.
// What an io_uring holds is not read again: that it is there is enough.
func (f found) letGo() bool {
	var link [64]byte
	target, errno := readFD(f.pid, f.task, f.fd, &link)
	switch {
	case errno != 0:
		return errno != unix.EACCES && errno != unix.EPERM
	case f.by == conn.HeldByIOUring:
		return string(target) != ringLink
	}
	inode, ok := parseLink(target, "socket:[")
	return !ok || inode != f.inode
}

// netns is the network namespace that a namespace's descriptor refers to.
func (f found) netns() (inum uint32, ok bool) {
	var link [64]byte
	target, errno := readFD(f.pid, f.task, f.fd, &link)
	if errno != 0 {
		return 0, false
	}
	n, ok := parseLink(target, "net:[")
	return uint32(n), ok
}

// path is where the descriptor can be opened.
func (f found) path() string {
	return taskPath(f.pid, f.task) + "/fd/" + strconv.Itoa(int(f.fd))
}

// taskPath is where /proc shows the thread.
func taskPath(pid, task int32) string { return string(appendTaskPath(nil, pid, task)) }

func appendTaskPath(p []byte, pid, task int32) []byte {
	p = append(p, "/proc/"...)
	p = strconv.AppendInt(p, int64(pid), 10)
	if task == pid {
		return p // of the same, that of the first thread
	}
	p = append(p, "/task/"...)
	return strconv.AppendInt(p, int64(task), 10)
}

// pids lists the processes.
func pids() ([]int32, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list /proc: %w", err)
	}
	var pids []int32
	for _, name := range names {
		if pid, err := strconv.ParseInt(name, 10, 32); err == nil {
			pids = append(pids, int32(pid))
		}
	}
	return pids, nil
}

// isGone says that the error means that the process has ended.
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }
