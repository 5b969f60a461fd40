// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// prepare does the rest of what a test may rely on and checks it. What it
// returns makes the guest useless: a test that ran all the same would fail
// later and say less.
func prepare() (problems []string) {
	check := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", what, err))
		}
	}
	check("bring lo up", loopbackUp())
	check("make a veth pair", tryVeth())
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	check("type information", err)
	_, err = os.Stat("/sys/kernel/tracing/events/tcp/tcp_probe/format")
	check("tracefs", err)
	_, err = os.Stat("/sys/bus/event_source/devices/kprobe/type")
	check("kprobes through perf_event_open", err)
	check("set the host name", unix.Sethostname([]byte("guest")))
	// As on a server; the kernel's own limit is 4096.
	check("raise the limit of open files", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1024, Max: 1 << 20}))
	return problems
}

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// tryVeth makes and removes a veth pair: veth is a module on every kernel of
// the matrix, and its loading may have gone wrong quietly.
func tryVeth() error {
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "try0"}, PeerName: "try1"}
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	return netlink.LinkDel(pair)
}
