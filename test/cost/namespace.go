// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/test/peers"
)

// isolate moves this thread into a network namespace of its own, with lo up,
// so that its sysctls and counters are ours alone. bpftrace needs tracefs,
// which not every machine has mounted: it is, then, in a mount namespace of our own.
func isolate(tracefs bool) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w (needs root)", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if !tracefs {
		return nil
	}
	return peers.MountTracefs()
}

// setIdle sets the namespace's idle time, in seconds. It holds for all its
// sockets at once, but leaves their running timers as they are.
func setIdle(seconds int) error {
	return os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", fmt.Appendf(nil, "%d", seconds), 0)
}
