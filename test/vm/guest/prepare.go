// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// prepare does the rest of what a test may rely on and checks it. What it
// returns makes the guest useless: a test that ran all the same would fail
// later and say less.
func prepare(without []string) (problems []string) {
	check := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", what, err))
		}
	}
	check("bring lo up", loopbackUp())
	check("make a veth pair", tryVeth())
	for _, name := range wire.Facilities {
		err := facilities[name]()
		if slices.Contains(without, name) {
			if err != nil {
				continue
			}
			err = errors.New("it is there, and this guest is to be without")
		}
		check(name, err)
	}
	check("set the host name", unix.Sethostname([]byte("guest")))
	// As on a server; the kernel's own limit is 4096.
	check("raise the limit of open files", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1024, Max: 1 << 20}))
	return problems
}

// facilities check each of wire.Facilities.
var facilities = map[string]func() error{
	"btf":     exists("/sys/kernel/btf/vmlinux"),
	"tracefs": exists("/sys/kernel/tracing/events/tcp/tcp_probe/format"),
	"kprobes": exists("/sys/bus/event_source/devices/kprobe/type"), // by perf_event_open
	"ipv6": func() error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	},
}

func exists(path string) func() error {
	return func() error {
		_, err := os.Stat(path)
		return err
	}
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
