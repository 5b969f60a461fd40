// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A host is a network namespace with a TUN device as its only way out.
type host struct {
	netns *os.File
	inum  uint64
}

// newHost makes a host with these addresses, plugged into the wire.
func newHost(w *wire, addresses []netip.Addr) (*host, error) {
	h := &host{}
	return h, onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		netns, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(netns.Fd()), &st); err != nil {
			return err
		}
		h.netns, h.inum = netns, st.Ino
		device, err := openTUN("eth0")
		if err != nil {
			return err
		}
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: netlink.NewIPNet(a.AsSlice())}); err != nil {
				return fmt.Errorf("address %s: %w", a, err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		everywhere := &netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Src: addresses[0].AsSlice()}
		if err := netlink.RouteAdd(everywhere); err != nil {
			return fmt.Errorf("default route: %w", err)
		}
		w.plug(device, addresses)
		return nil
	})
}

// do runs f on a thread that is in the host's namespace.
func (h *host) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(h.netns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread that nothing else runs on afterwards.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// openTUN makes a device that gives and takes bare IP packets.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
