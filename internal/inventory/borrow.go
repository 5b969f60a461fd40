// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// Borrower gets descriptors of our own for sockets that other processes hold
// (pidfd_getfd). Sockets of one process in a row are the fastest: it opens each
// process once. The zero value is ready; it is not safe for concurrent use.
type Borrower struct {
	open  bool
	task  int
	pidfd int
	err   error // why there is no pidfd of task
}

// The reasons for which a socket cannot be borrowed, beside os.ErrNotExist: its
// holder has closed it, or has ended.
var (
	// ErrThread: the thread has a descriptor table of its own, and this kernel has no pidfd of a thread (before Linux 6.9).
	ErrThread = errors.New("a thread apart from its process holds it, which needs Linux 6.9")
	// ErrRefused: PTRACE_MODE_ATTACH of the holder is refused, or the system calls are (seccomp); it wraps os.ErrPermission.
	ErrRefused = fmt.Errorf("its process may not be asked for it: %w", os.ErrPermission)
)

// Borrow returns a descriptor for the socket. The holder does not notice; but
// for as long as the descriptor is open, so is the socket, whatever the holder
// does. It needs PTRACE_MODE_ATTACH of the process (CAP_SYS_PTRACE).
func (b *Borrower) Borrow(s *Socket) (fd int, err error) {
	if s.fd < 0 {
		return -1, errors.New(s.Unheld())
	}
	if !b.open || s.task != b.task {
		b.Close()
		b.open, b.task = true, s.task
		b.pidfd, b.err = openTask(s.Process.PID, s.task)
	}
	if b.err != nil {
		return -1, b.err
	}
	return borrow(b.pidfd, s.fd, s.Inode)
}

// Close gives back what is open.
func (b *Borrower) Close() {
	if b.open && b.err == nil {
		_ = unix.Close(b.pidfd)
	}
	*b = Borrower{}
}

// openTask opens a pidfd of a process, or of one of its threads that has its own
// descriptors.
func openTask(pid, task int) (pidfd int, err error) {
	if task == pid {
		pidfd, err = unix.PidfdOpen(pid, 0)
	} else if pidfd, err = unix.PidfdOpen(task, unix.PIDFD_THREAD); errors.Is(err, unix.EINVAL) {
		return -1, ErrThread
	}
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.ENOSYS):
		return -1, ErrRefused
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL): // EINVAL: no first thread any more
		return -1, fmt.Errorf("process %d has ended: %w", pid, os.ErrNotExist)
	case err != nil:
		return -1, fmt.Errorf("pidfd_open: %w", err)
	}
	return pidfd, nil
}

// borrow gets a descriptor of our own for descriptor fd of the process, and
// makes sure that it is the socket with that inode.
func borrow(pidfd, fd int, inode uint64) (int, error) {
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.ENOSYS):
		return -1, ErrRefused
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ESRCH):
		return -1, fmt.Errorf("descriptor %d is closed by now: %w", fd, os.ErrNotExist)
	case err != nil:
		return -1, fmt.Errorf("pidfd_getfd: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(own, &st); err != nil || st.Ino != inode || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		_ = unix.Close(own)
		return -1, fmt.Errorf("descriptor %d is another one by now: %w", fd, os.ErrNotExist)
	}
	return own, nil
}

// RefusedAdvice says why sockets may not be borrowed, and what helps.
func RefusedAdvice() string {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err == nil && strings.TrimSpace(string(scope)) == "3" {
		return "kernel.yama.ptrace_scope is 3: until the next boot nobody may, not even root"
	}
	if loader.Filtered() {
		// Calls that the kernel itself answers with EBADF and EINVAL.
		if _, err := unix.PidfdGetfd(-1, 0, 0); !errors.Is(err, unix.EBADF) {
			return loader.FilterAdvice("pidfd_getfd(2)")
		}
		if _, err := unix.PidfdOpen(0, 0); !errors.Is(err, unix.EINVAL) {
			return loader.FilterAdvice("pidfd_open(2)")
		}
	}
	return loader.Advice(unix.CAP_SYS_PTRACE)
}

// UnseenAdvice says what it takes to see the holders of all sockets; "": nothing
// that this process lacks.
func UnseenAdvice() string { return loader.Lacks(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH) }

// Unheld says why no descriptor can be borrowed for the socket; "": one can, if
// its holder still has it.
func (s *Socket) Unheld() string {
	switch {
	case s.fd >= 0:
		return ""
	case s.HeldBy == conn.HeldByKernel && s.Module != "":
		return "it is the kernel's own socket (" + conn.Safe(s.Module) + ")"
	case s.HeldBy == conn.HeldByKernel:
		return "it is the kernel's own socket"
	case s.HeldBy == conn.HeldByAcceptQueue, s.Unaccepted():
		return "nobody has accepted it yet, so no descriptor refers to it"
	case s.HeldBy == conn.HeldByIOUring:
		return "only an io_uring holds it"
	case s.Inode == 0:
		return "its process has closed it"
	}
	return Unseen
}

// Unseen is why a socket cannot be borrowed whose holder was not found.
const Unseen = "no process that may be seen holds it"

// Cookie is the socket's cookie (SO_COOKIE) where the method tells: Netlink. Of
// an MPTCP subflow it is the subflow's, not that of the socket which is held.
func (s *Socket) Cookie() (uint64, bool) {
	// By BPF the id is an address in the kernel, which has the highest bit set.
	return s.id, s.id != 0 && s.id>>63 == 0
}

// Expires is how long the keepalive timer still runs; false: it does not run, or
// that is not known.
func (s *Socket) Expires() (time.Duration, bool) { return s.expires, s.Has&hasTimer != 0 }
