// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A scanner reads which process holds which socket from /proc/PID/fd. It is
// written on the system calls because a machine may have a million descriptors:
// package os would allocate several times for each. Not safe for concurrent use.
type scanner struct {
	root    string // "/proc"
	dirents [32 << 10]byte
	link    [64]byte
}

// Sockets calls each for every socket descriptor of the process. Errors wrap
// what the kernel said: os.ErrNotExist when the process has ended.
func (s *scanner) sockets(pid int, each func(fd int32, inode uint64)) error {
	return s.links(pid, func(fd int32, target []byte) {
		if inode, ok := parseLink(target, "socket:["); ok {
			each(fd, inode)
		}
	})
}

// links calls each for every descriptor with what its link says, which is only
// valid during the call. A target of 64 bytes or more is cut off.
func (s *scanner) links(pid int, each func(fd int32, target []byte)) error {
	path := s.root + "/" + strconv.Itoa(pid) + "/fd"
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
			if errno == 0 {
				each(fd, s.link[:got])
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

// holds says whether the descriptor fd of process pid refers to the socket
// now: one readlink, a few microseconds, no allocation.
func holds(pid int, fd int32, inode uint64) bool {
	var path, link [64]byte
	p := append(path[:0], "/proc/"...)
	p = strconv.AppendInt(p, int64(pid), 10)
	p = append(p, "/fd/"...)
	p = strconv.AppendInt(p, int64(fd), 10)
	p = append(p, 0)
	at := unix.AT_FDCWD
	n, _, errno := syscall.Syscall6(unix.SYS_READLINKAT, uintptr(at), uintptr(unsafe.Pointer(&p[0])),
		uintptr(unsafe.Pointer(&link[0])), uintptr(len(link)), 0, 0)
	if errno != 0 {
		return false
	}
	got, ok := parseLink(link[:n], "socket:[")
	return ok && got == inode
}

// pids lists the user space processes, the oldest first (by start time, then
// by pid): of several holders of a socket the first is its owner.
func (s *scanner) pids() ([]procKey, error) {
	dir, err := os.Open(s.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.root, err)
	}
	var keys []procKey
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		st, err := readStat(s.root, pid)
		if err != nil || st.kernel {
			continue // ended meanwhile, or hidden from us (hidepid)
		}
		keys = append(keys, procKey{pid, st.start})
	}
	slices.SortFunc(keys, func(a, b procKey) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.pid, b.pid))
	})
	return keys, nil
}

// isGone says that the error means that the process has ended.
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }
