// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// port is the virtio-serial port, by plain blocking system calls: a write
// returns when the host's side has taken the bytes.
type port int

// openPort finds the port by its name; it appears some milliseconds after the
// driver has been loaded.
func openPort() (port, error) {
	const patience = 10 * time.Second
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil || strings.TrimSpace(string(text)) != wire.PortName {
				continue
			}
			dev := "/dev/" + filepath.Base(filepath.Dir(name))
			fd, err := unix.Open(dev, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				return -1, fmt.Errorf("open %s: %w", dev, err)
			}
			return port(fd), nil
		}
		if time.Since(start) > patience {
			return -1, fmt.Errorf("no virtio port %q after %v", wire.PortName, patience)
		}
	}
}

// Write writes all of p.
func (f port) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(f), p[done:])
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// Read reads what the host wrote, at least a byte.
func (f port) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// awaitByte waits for the host's word that it has read everything.
func (f port) awaitByte(patience time.Duration) {
	fds := []unix.PollFd{{Fd: int32(f), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(patience.Milliseconds())); n == 1 && err == nil {
		_, _ = unix.Read(int(f), make([]byte, 1))
	}
}
