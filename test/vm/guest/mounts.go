// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// fileSystem is one to mount.
type fileSystem struct {
	fstype, dir string
	flags       uintptr
	data        string
}

// mounts are what a guest mounts, in this order.
var mounts = []fileSystem{
	{"proc", "/proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"sysfs", "/sys", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"devtmpfs", "/dev", unix.MS_NOSUID, ""},
	{"devpts", "/dev/pts", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=620,ptmxmode=666"},
	{"tmpfs", "/dev/shm", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	{"tmpfs", "/tmp", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
	{"bpf", "/sys/fs/bpf", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "mode=700"},
	{"cgroup2", "/sys/fs/cgroup", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"securityfs", "/sys/kernel/security", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"debugfs", "/sys/kernel/debug", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"tracefs", "/sys/kernel/tracing", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
}

// mountAll mounts them, and then the plan's. A kernel mounts devtmpfs by itself
// only where there is no initramfs, and an initramfs has no /dev/console to
// begin with.
func mountAll(plan []wire.Mount) error {
	for _, m := range mounts {
		if slices.ContainsFunc(plan, func(p wire.Mount) bool { return p.Dir == m.dir }) {
			continue
		}
		err := mount(m.fstype, m)
		if err != nil && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	for _, p := range plan {
		m := fileSystem{p.Type, p.Dir, 0, p.Options}
		if p.Type == "bind" {
			m.flags = unix.MS_BIND
		}
		if err := mount(p.Source, m); err != nil {
			return err
		}
	}
	return nil
}

// mount mounts a file system. The place may be a file that is there.
func mount(source string, m fileSystem) error {
	if _, err := os.Stat(m.dir); err != nil {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(source, m.dir, m.fstype, m.flags, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.fstype, m.dir, err)
	}
	return nil
}
