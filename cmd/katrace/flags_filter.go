// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/owner"
)

// filterKey is the annotation of a flag that is part of the filter.
const filterKey = "katrace_filter"

// addFilterFlags adds the flags that say which connections are wanted: of the
// stream, of a recording and of the list. More are those of one command.
func addFilterFlags(cmd *cobra.Command, group string, f *events.Filter, more ...flagSpec) {
	s, o := &f.Socket, &f.Owner
	specs := append([]flagSpec{
		{name: "port", to: listOf(&s.Ports, parsePort), help: "only connections with this port on either side"},
		{name: "local-port", to: listOf(&s.LocalPorts, parsePort), help: "only connections with this local port"},
		{name: "remote-port", to: listOf(&s.RemotePorts, parsePort), help: "only connections with this remote port"},
		{name: "addr", to: listOf(&s.Prefixes, parsePrefix), help: "only connections with this address, or one in this CIDR prefix, on either side"},
		{name: "netns", to: listOf(&s.Netns, parseNetns), help: "only this network namespace: its inode number, a path such as /proc/812/ns/net, or a name of ip netns", offer: netnsOffers},
		{name: "ipv4", short: "4", to: &s.OnlyIPv4, help: "only IPv4, IPv4-mapped included"},
		{name: "ipv6", short: "6", to: &s.OnlyIPv6, help: "only IPv6"},
		{name: "pid", to: listOf(&o.PIDs, parsePID), help: "only sockets that this process holds"},
		{name: "comm", to: listOf(&o.Comms, parseComm), help: "only sockets of processes with this name (comm)"},
		{name: "cgroup", to: listOf(&o.Cgroups, parseCgroup), help: "only sockets in this cgroup or below it, such as /system.slice"},
		{name: "container", to: listOf(&o.Containers, parseContainer), help: "only sockets of the container with this id, its beginning, or its name (known with --names)", offer: containerIDs},
		{name: "pod", to: listOf(&o.Pods, parsePod), help: "only sockets of this Kubernetes pod: NAMESPACE/NAME", offer: podOffers},
	}, more...)
	addFlags(cmd, group, specs...)
	for _, spec := range specs {
		cmd.Flag(spec.name).Annotations[filterKey] = []string{}
	}
}

// addEventFlags adds those, and the flags that say which events are wanted.
func addEventFlags(cmd *cobra.Command, group string, f *events.Filter) {
	addFilterFlags(cmd, group, f,
		flagSpec{name: "event", to: listOf(&f.Kinds, events.ParseKind), help: "only these events: " + strings.Join(events.KindNames(), ", "), values: events.KindNames()},
		flagSpec{name: "dead", to: &f.Dead, help: "only ends: " + join(events.EndKinds)},
		flagSpec{name: "silent", to: &f.Silent, help: "only unanswered: probes that follow an unanswered one or did not leave, and what comes of them short of the end"},
		flagSpec{name: "changes", to: &f.Changes, help: "only events from which on a connection's state is another one: silent, unreachable, recovered, suspended, resumed, ended"})
}

// filterWords is the filter as it was given on the command line,
// "--port 5432,5433 --dead"; "" where all is wanted.
func filterWords(flags *pflag.FlagSet) string {
	var words []string
	flags.VisitAll(func(f *pflag.Flag) {
		if _, filters := f.Annotations[filterKey]; !filters || !f.Changed {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		switch list, ok := f.Value.(lister); {
		case ok:
			words = append(words, name, strings.Join(list.given(), ","))
		case f.Value.String() == "true":
			words = append(words, name)
		}
	})
	return strings.Join(words, " ")
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("want a port number, 1 to 65535")
	}
	return uint16(n), nil
}

func parsePID(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		return 0, errors.New("want a process number")
	}
	return int(n), nil
}

func parseComm(s string) (string, error) {
	if s == "" || len(s) > maxComm {
		return "", fmt.Errorf("want a name of 1 to %d bytes, as the kernel keeps it (see /proc/PID/comm)", maxComm)
	}
	return s, nil
}

func parseCgroup(s string) (string, error) {
	if !strings.HasPrefix(s, "/") {
		return "", errors.New("want a path as in /proc/PID/cgroup, such as /system.slice/ssh.service")
	}
	return s, nil
}

func parseContainer(s string) (string, error) {
	if s == "" {
		return "", errors.New("want a container's id, its beginning, or its name")
	}
	return s, nil
}

// maxComm is what the kernel keeps of a process's name, in bytes
// (TASK_COMM_LEN in include/linux/sched.h, less the NUL).
const maxComm = 15

// noteCgroup says on stderr what --cgroup compares with where it is not cgroup v2.
func noteCgroup(f *events.Filter) {
	if len(f.Owner.Cgroups) > 0 && !owner.HasCgroup2() {
		fmt.Fprintln(os.Stderr, "katrace: no cgroup v2 is mounted here: --cgroup is compared with the path of the process in systemd's cgroup v1 hierarchy (name=systemd, or another one where that is missing), not with a controller's")
	}
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
