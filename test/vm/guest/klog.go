// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// kernelLog forwards the kernel's log, record by record, as it comes: read at
// the end only, the ring buffer may have overwritten what mattered.
type kernelLog struct {
	fd  int
	out *wire.Writer
}

func openKernelLog(out *wire.Writer) (*kernelLog, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/kmsg: %w", err)
	}
	return &kernelLog{fd, out}, nil
}

// forward sends what is there now.
func (k *kernelLog) forward() error {
	buf := make([]byte, 16<<10) // a record is at most 8 KiB (CONSOLE_EXT_LOG_MAX)
	for {
		n, err := unix.Read(k.fd, buf)
		switch err {
		case nil:
			if err := k.out.Bytes(wire.KindKernelLog, []byte(formatRecord(string(buf[:n])))); err != nil {
				return err
			}
		case unix.EAGAIN:
			return nil
		case unix.EINTR:
		case unix.EPIPE:
			if err := k.out.Bytes(wire.KindKernelLog, []byte("[guest] records of the kernel's log were overwritten before they were read\n")); err != nil {
				return err
			}
		default:
			return fmt.Errorf("read /dev/kmsg: %w", err)
		}
	}
}

// formatRecord makes of a record of /dev/kmsg, "6,339,5140900,-;text\n KEY=value\n",
// a line as dmesg shows it, "[    5.140900] text\n".
func formatRecord(record string) string {
	head, text, ok := strings.Cut(record, ";")
	if !ok {
		return strings.TrimRight(record, "\n") + "\n"
	}
	text, _, _ = strings.Cut(text, "\n") // what follows are the device's properties
	var micros uint64
	if f := strings.Split(head, ","); len(f) > 2 {
		_, _ = fmt.Sscan(f[2], &micros)
	}
	return fmt.Sprintf("[%5d.%06d] %s\n", micros/1e6, micros%1e6, text)
}
