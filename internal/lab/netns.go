// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/contained"
)

// threadNetns is the calling thread's network namespace.
const threadNetns = "/proc/thread-self/ns/net"

// namespace is an anonymous network namespace: nothing but its descriptor (and
// the sockets made in it) keeps it alive, so it goes with the process, however
// the process ends.
type namespace struct {
	file *os.File // nil: this process's own, which is never left
	inum uint32   // the inode number of the namespace, net.ns.inum
}

// newNamespace makes a network namespace with lo up.
func newNamespace() (*namespace, error) {
	var ns *namespace
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w%s", err, hint(err))
		}
		file, err := os.Open(threadNetns)
		if err != nil {
			return fmt.Errorf("open the new network namespace: %w", err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &st); err != nil {
			file.Close()
			return fmt.Errorf("stat the new network namespace: %w", err)
		}
		if err := linkUp("lo"); err != nil {
			file.Close()
			return err
		}
		ns = &namespace{file: file, inum: uint32(st.Ino)}
		return nil
	})
	return ns, err
}

// do runs f on a thread that is in the namespace. Sockets that f opens, and
// files of /proc/thread-self/net and /proc/sys/net, are the namespace's.
func (ns *namespace) do(f func() error) error {
	if ns.file == nil {
		return f()
	}
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %d: %w%s", ns.inum, err, hint(err))
		}
		return f()
	})
}

func (ns *namespace) close() error {
	if ns.file == nil {
		return nil
	}
	return ns.file.Close()
}

// onThread runs f on an operating system thread of its own and puts that
// thread's network namespace back afterwards. A thread that cannot be put back
// is never used again: its goroutine ends while still locked to it, which makes
// the runtime end the thread.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		back, err := comeBack(f)
		if back {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// comeBack runs f and says whether the thread is in its first namespace again.
func comeBack(f func() error) (back bool, err error) {
	home, err := os.Open(threadNetns)
	if err != nil {
		return true, fmt.Errorf("open this thread's network namespace: %w", err)
	}
	defer home.Close()
	err = f()
	if failed := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); failed != nil {
		return false, errors.Join(err, fmt.Errorf("return to the first network namespace: %w", failed))
	}
	return true, err
}

// linkUp brings up an interface of the thread's namespace.
func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring interface %q up: %w%s", name, err, hint(err))
	}
	return nil
}

// sysctl sets a value of the thread's namespace: sysctl("net.ipv4.ip_forward", 1).
func sysctl(name string, value int) error {
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d", value), 0); err != nil {
		return fmt.Errorf("set %s to %d: %w", name, value, err)
	}
	return nil
}

// hint names the privilege that a refused call needs.
func hint(err error) string {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return " (needs CAP_SYS_ADMIN and CAP_NET_ADMIN; " + contained.Remedy() + ")"
	}
	return ""
}
