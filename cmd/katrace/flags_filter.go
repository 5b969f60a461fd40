// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// validateFilter makes the filter that the flags ask for.
func (r *rawStreamFlags) validateFilter() (events.Filter, error) {
	f := events.Filter{
		Socket: loader.Filter{OnlyIPv4: r.only4, OnlyIPv6: r.only6},
		Dead:   r.dead, Silent: r.silent,
		Comms: r.comm, Cgroups: r.cgroup, Containers: r.container,
	}
	var err error
	if f.Socket.Ports, err = parsePorts("port", r.port); err != nil {
		return f, err
	}
	if f.Socket.LocalPorts, err = parsePorts("local-port", r.localPort); err != nil {
		return f, err
	}
	if f.Socket.RemotePorts, err = parsePorts("remote-port", r.remotePort); err != nil {
		return f, err
	}
	for _, s := range r.addr {
		p, err := parsePrefix(s)
		if err != nil {
			return f, usagef("--addr %q: %w", s, err)
		}
		f.Socket.Prefixes = append(f.Socket.Prefixes, p)
	}
	for _, s := range r.netns {
		n, err := parseNetns(s)
		if err != nil {
			return f, usagef("--netns %q: %w", s, err)
		}
		f.Socket.Netns = append(f.Socket.Netns, n)
	}
	for _, s := range r.pid {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n < 1 {
			return f, usagef("--pid %q: want a process number", s)
		}
		f.PIDs = append(f.PIDs, int(n))
	}
	for _, s := range r.event {
		k, err := events.ParseKind(s)
		if err != nil {
			return f, usagef("--event: %w", err)
		}
		f.Kinds = append(f.Kinds, k)
	}
	return f, nil
}

func parsePorts(flag string, in []string) ([]uint16, error) {
	var ports []uint16
	for _, s := range in {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return nil, usagef("--%s %q: want a port number, 1 to 65535", flag, s)
		}
		ports = append(ports, uint16(n))
	}
	return ports, nil
}

// parsePrefix reads an address or a CIDR prefix. IPv4-mapped ones count as IPv4.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("want an address or a CIDR prefix, such as 10.0.0.0/8 or 2001:db8::1")
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// netnsDir is where ip netns keeps its names.
const netnsDir = "/run/netns"

// parseNetns reads a network namespace: its inode number, the path of an nsfs
// file, or a name of ip netns.
func parseNetns(s string) (uint32, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil && n != 0 {
		return uint32(n), nil
	}
	path := s
	if !strings.Contains(s, "/") {
		path = filepath.Join(netnsDir, s)
	}
	const want = "want an inode number, a path such as /proc/812/ns/net, or a name of ip netns"
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %q: %w (%s)", path, err, want)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("statfs %q: %w (%s)", path, err, want)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return 0, fmt.Errorf("%q is not a namespace (%s)", path, want)
	}
	return uint32(st.Ino), nil
}
