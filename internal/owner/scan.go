// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// found is a descriptor that refers to a socket, or to a namespace (inode 0).
type found struct {
	inode uint64
	pid   int32
	fd    int32
}

// procFS reads which process holds which socket from /proc/PID/fd, where no BPF
// iterator can be had. It is written on the system calls because a machine may
// have a million descriptors: package os would allocate several times for each.
// Not safe for concurrent use.
type procFS struct {
	dirents [32 << 10]byte
	link    [64]byte
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
// socket or to a network namespace, until it says false.
func (s *procFS) process(pid int32, yield func(found) bool) error {
	path := "/proc/" + strconv.Itoa(int(pid)) + "/fd"
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
			entry := (*unix.Dirent)(unsafe.Pointer(&rest[0]))
			name := rest[unsafe.Offsetof(entry.Name):entry.Reclen]
			rest = rest[entry.Reclen:]
			fd, ok := parseFD(name)
			if !ok {
				continue
			}
			// The name ends with a NUL, as the system call wants it.
			got, _, errno := syscall.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])),
				uintptr(unsafe.Pointer(&s.link[0])), uintptr(len(s.link)), 0, 0)
			if errno != 0 {
				continue
			}
			inode, socket := parseLink(s.link[:got], "socket:[")
			if !socket {
				if _, ok := parseLink(s.link[:got], "net:["); !ok {
					continue
				}
			}
			if !yield(found{inode, pid, fd}) {
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

// readFD reads what /proc/PID/fd/N refers to into link: one readlink, a few
// microseconds, no allocation.
func readFD(pid, fd int32, link *[64]byte) ([]byte, unix.Errno) {
	var path [64]byte
	p := append(path[:0], "/proc/"...)
	p = strconv.AppendInt(p, int64(pid), 10)
	p = append(p, "/fd/"...)
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
func (f found) letGo() bool {
	var link [64]byte
	target, errno := readFD(f.pid, f.fd, &link)
	if errno != 0 {
		return errno != unix.EACCES && errno != unix.EPERM
	}
	inode, ok := parseLink(target, "socket:[")
	return !ok || inode != f.inode
}

// netns is the network namespace that a namespace's descriptor refers to.
func (f found) netns() (inum uint32, ok bool) {
	var link [64]byte
	target, errno := readFD(f.pid, f.fd, &link)
	if errno != 0 {
		return 0, false
	}
	n, ok := parseLink(target, "net:[")
	return uint32(n), ok
}

// path is where the descriptor can be opened.
func (f found) path() string {
	return "/proc/" + strconv.Itoa(int(f.pid)) + "/fd/" + strconv.Itoa(int(f.fd))
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
