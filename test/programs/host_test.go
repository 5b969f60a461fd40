// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The test's own network namespace and that of a host beside it, on one wire
// (RFC 2544's addresses).
const (
	nearAddr = "198.18.0.1"
	farAddr  = "198.18.0.2"
	nearEnd  = "near0"
	farEnd   = "far0"
)

// host is a network namespace. nil is the test's own.
type host struct{ ns *os.File }

// neighbour makes a host on a wire to the test's own namespace. It goes with
// the test, and what runs there has to end before.
func neighbour(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = nearEnd
	check("make a veth pair", netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: farEnd, PeerNamespace: netlink.NsFd(h.ns.Fd())}))
	t.Cleanup(func() { // at once, for the next test: the far host may live on for a while
		if link, err := netlink.LinkByName(nearEnd); err == nil {
			_ = netlink.LinkDel(link)
		}
	})
	check("configure the near host", configure(nearEnd, nearAddr))
	check("configure the far host", h.do(func() error {
		return errors.Join(configure("lo", ""), configure(farEnd, farAddr))
	}))
	return h
}

// newHost makes a network namespace without any wire.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{}
	if err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		h.ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	}); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { _ = h.ns.Close() })
	return h
}

// configure gives an interface of the thread's namespace an address and
// switches it on.
func configure(name, addr string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if addr != "" {
		a, err := netlink.ParseAddr(addr + "/24")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

// do runs f in the host's namespace.
func (h *host) do(f func() error) error {
	if h == nil {
		return f()
	}
	return onThread(func() error {
		if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the host's network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on an operating system thread, and puts that thread's network
// namespace back. (The thread has to live on: what it started ends with it,
// PR_SET_PDEATHSIG.)
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			panic(back) // this process would go on in two namespaces
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// inum is the inode number of the host's namespace.
func (h *host) inum() (ino uint64, err error) {
	err = h.do(func() error {
		var st unix.Stat_t
		err := unix.Stat("/proc/thread-self/ns/net", &st)
		ino = st.Ino
		return err
	})
	return ino, err
}

// sysctl sets a value of the host's namespace.
func (h *host) sysctl(name string, value int) error {
	return h.do(func() error {
		path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
		return os.WriteFile(path, fmt.Append(nil, value), 0)
	})
}
