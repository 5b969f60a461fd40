// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestReusedDescriptor: where a descriptor that referred to a namespace is
// another file's by now, the namespace is gone, and the file is not opened: not a
// FIFO, which blocks, nor a socket, which cannot be opened.
func TestReusedDescriptor(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	// Who opens a FIFO to read waits for a writer.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			if w, err := os.OpenFile(fifo, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
				t.Error("the FIFO was opened")
				_ = w.Close()
			}
		}
	}()
	for _, path := range []string{fifo, fmt.Sprintf("/proc/self/fd/%d", socket.Fd()), "/proc/self/ns/uts", filepath.Join(t.TempDir(), "none")} {
		err := namespace{inum: 4026531833, path: path}.do(func() error { return errors.New("it was entered") })
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want %v", path, err, os.ErrNotExist)
		}
	}
	close(stop)
	<-stopped
}
