// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// reader is the application: it blocks in a read of the traced socket until
// that fails, or, after end-of-file or where it reads nothing, until the socket
// has an error.
type reader struct {
	sock *socket
	done chan struct{} // closed when the reading is over

	errno unix.Errno // what the application was told; 0: nothing, and it was stopped
	at    time.Time
}

// startReader begins to read; unread leaves in the socket what comes.
func startReader(s *socket, unread bool) *reader {
	r := &reader{sock: s, done: make(chan struct{})}
	look := r.read
	if unread {
		look = r.failed
	}
	go func() {
		defer close(r.done)
		_ = s.raw.Read(func(fd uintptr) bool { return look(int(fd)) })
	}()
	return r
}

// read reads what there is, and says whether the reading is over.
func (r *reader) read(fd int) bool {
	var buf [4096]byte
	for {
		n, err := unix.Read(fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false // wait until there is something
		case err != nil:
			r.at = time.Now()
			errors.As(err, &r.errno)
			return true
		case n == 0:
			// The peer has closed its side. Reads say so from now on; what ends the
			// connection shows in SO_ERROR (as it does in a write).
			return r.failed(fd)
		}
	}
}

// failed says whether the socket has an error.
func (r *reader) failed(fd int) bool {
	if err := socketError(fd); !errors.As(err, &r.errno) {
		return false
	}
	r.at = time.Now()
	return true
}

// stop ends the reading and says what came of it.
func (r *reader) stop() (unix.Errno, time.Time) {
	// A deadline in the past wakes the reader. It fails on a closed socket, of
	// which the reader knows already.
	_ = r.sock.file.SetReadDeadline(time.Unix(1, 0))
	<-r.done
	return r.errno, r.at
}
