// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"katrace/internal/contained"
)

// threadNetns is the calling thread's network namespace.
const threadNetns = "/proc/thread-self/ns/net"

// namespace is a network namespace to look into.
type namespace struct {
	inum uint32
	path string // of a file that refers to it; "": where we are
}

// here is the network namespace that katrace runs in.
func here() (namespace, error) {
	inum, err := inumOf("/proc/self/ns/net")
	return namespace{inum, ""}, err
}

func inumOf(path string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return uint32(st.Ino), nil
}

// namespaces finds the network namespaces that processes are in and those that
// are mounted (ip netns, container runtimes), ours first. Those that only a
// descriptor refers to are found by the scan for owners. hidden says that some
// processes' namespaces may not be looked at.
func namespaces() (all []namespace, hidden bool, err error) {
	own, err := here()
	if err != nil {
		return nil, false, err
	}
	all = []namespace{own}
	seen := map[uint32]bool{own.inum: true}
	add := func(path string) {
		inum, err := inumOf(path)
		switch {
		case errors.Is(err, os.ErrPermission):
			hidden = true
		case err == nil && !seen[inum]:
			seen[inum] = true
			all = append(all, namespace{inum, path})
		}
	}
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for i := range paths {
		// Not by the pattern: Glob leaves out what it may not look into.
		paths[i] += "/ns/net"
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil {
		paths = append(paths, netnsMounts(string(mounts))...)
	}
	for _, p := range paths {
		add(p)
	}
	return all, hidden, nil
}

// NetnsExists says whether a process is in the network namespace, or it is
// mounted. One that only a descriptor or a socket refers to is not found.
func NetnsExists(inum uint32) (bool, error) {
	all, _, err := namespaces()
	return slices.ContainsFunc(all, func(ns namespace) bool { return ns.inum == inum }), err
}

// netnsMounts finds the mount points of network namespaces in a mountinfo text.
func netnsMounts(mountinfo string) []string {
	var at []string
	seen := map[string]bool{} // a kernel may have 100,000 mounts
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[3], "net:[") && !seen[fields[4]] {
			seen[fields[4]] = true
			at = append(at, fields[4])
		}
	}
	return at
}

// still is nil where the path leads to the namespace; its error wraps
// os.ErrNotExist where it leads to another file by now.
func (ns namespace) still(path string) error {
	inum, err := inumOf(path)
	if err == nil && inum != ns.inum {
		err = fmt.Errorf("%s is now %d: %w", path, inum, os.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("open network namespace %d: %w", ns.inum, err)
	}
	return nil
}

// do runs f on a thread that is in the namespace.
func (ns namespace) do(f func() error) error {
	if ns.path == "" {
		return f()
	}
	// It is looked at first: a descriptor's number may be another file's by now,
	// such as a FIFO, which blocks whoever opens it.
	if err := ns.still(ns.path); err != nil {
		return err
	}
	file, err := os.Open(ns.path)
	if err != nil {
		return cmp.Or(ns.still(ns.path), fmt.Errorf("open network namespace %d: %w", ns.inum, err))
	}
	defer func() { _ = file.Close() }()
	if err := ns.still(fmt.Sprintf("/proc/self/fd/%d", file.Fd())); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// A thread that cannot be put back is ended by the runtime, because its
		// goroutine ends while locked to it.
		runtime.LockOSThread()
		home, err := os.Open(threadNetns)
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("open this thread's network namespace: %w", err)
			return
		}
		defer func() { _ = home.Close() }()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("enter network namespace %d: %w (needs CAP_SYS_ADMIN; %s)", ns.inum, err, contained.Remedy())
			return
		}
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
