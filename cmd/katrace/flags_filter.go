// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/owner"
)

// rawConnFilter are the flags, as typed, that say which connections are wanted:
// of the stream, of a recording and of the list.
type rawConnFilter struct {
	port, localPort, remotePort  []string
	addr, netns                  []string
	only4, only6                 bool
	pid, comm, cgroup, container []string
}

func (r *rawConnFilter) register(cmd *cobra.Command, group string) {
	addFlags(cmd, group,
		flagSpec{name: "port", to: &r.port, help: "only connections with this port on either side"},
		flagSpec{name: "local-port", to: &r.localPort, help: "only connections with this local port"},
		flagSpec{name: "remote-port", to: &r.remotePort, help: "only connections with this remote port"},
		flagSpec{name: "addr", to: &r.addr, help: "only connections with this address, or one in this CIDR prefix, on either side"},
		flagSpec{name: "netns", to: &r.netns, help: "only this network namespace: its inode number, a path such as /proc/812/ns/net, or a name of ip netns", offer: netnsOffers},
		flagSpec{name: "ipv4", short: "4", to: &r.only4, help: "only IPv4, IPv4-mapped included"},
		flagSpec{name: "ipv6", short: "6", to: &r.only6, help: "only IPv6"},
		flagSpec{name: "pid", to: &r.pid, help: "only sockets that this process holds"},
		flagSpec{name: "comm", to: &r.comm, help: "only sockets of processes with this name (comm)"},
		flagSpec{name: "cgroup", to: &r.cgroup, help: "only sockets in this cgroup or below it, such as /system.slice"},
		flagSpec{name: "container", to: &r.container, help: "only sockets of the container with this id, or its beginning", offer: containerIDs})
}

// validate makes the filter that the flags ask for.
func (r *rawConnFilter) validate() (events.Filter, error) {
	f := events.Filter{
		Owner:  conn.OwnerFilter{Comms: r.comm, Cgroups: r.cgroup, Containers: r.container},
		Socket: conn.SocketFilter{OnlyIPv4: r.only4, OnlyIPv6: r.only6},
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
		f.Owner.PIDs = append(f.Owner.PIDs, int(n))
	}
	for _, s := range r.comm {
		if s == "" || len(s) > maxComm {
			return f, usagef("--comm %q: want a name of 1 to %d bytes, as the kernel keeps it (see /proc/PID/comm)", s, maxComm)
		}
	}
	for _, s := range r.cgroup {
		if !strings.HasPrefix(s, "/") {
			return f, usagef("--cgroup %q: want a path as in /proc/PID/cgroup, such as /system.slice/ssh.service", s)
		}
	}
	if slices.Contains(r.container, "") {
		return f, usagef("--container %q: want a container's id, or its beginning", "")
	}
	return f, refuseNever(&f)
}

// maxComm is what the kernel keeps of a process's name, in bytes
// (TASK_COMM_LEN in include/linux/sched.h, less the NUL).
const maxComm = 15

// refuseEmpty refuses a list given as nothing: --port "$PORT" with an empty
// variable would filter nothing.
func refuseEmpty(cmd *cobra.Command, _ []string) error {
	var err error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok && len(list.GetSlice()) == 0 {
			err = usagef("--%s %q: want a value", f.Name, "")
		}
	})
	return err
}

// noteCgroup says on stderr what --cgroup compares with where it is not cgroup v2.
func noteCgroup(f *events.Filter) {
	if len(f.Owner.Cgroups) > 0 && !owner.HasCgroup2() {
		fmt.Fprintln(os.Stderr, "katrace: no cgroup v2 is mounted here: --cgroup is compared with the path of the process in systemd's cgroup v1 hierarchy (name=systemd, or another one where that is missing), not with a controller's")
	}
}

// validateFilter makes the filter that the stream's flags ask for.
func (r *rawStreamFlags) validateFilter() (events.Filter, error) {
	f, err := r.conns.validate()
	if err != nil {
		return f, err
	}
	f.Dead, f.Silent = r.dead, r.silent
	for _, s := range r.event {
		k, err := events.ParseKind(s)
		if err != nil {
			return f, usagef("--event: %w", err)
		}
		f.Kinds = append(f.Kinds, k)
	}
	return f, refuseNever(&f)
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
