// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"katrace/internal/inventory"
	"katrace/internal/loader"
)

// socketFlags are the filters that a socket itself can answer, as typed.
type socketFlags struct {
	port, localPort, remotePort []string
	addr, netns                 []string
	only4, only6                bool
}

func (r *socketFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&r.port, "port", nil, "only connections with this port on either side")
	f.StringSliceVar(&r.localPort, "local-port", nil, "only connections with this local port")
	f.StringSliceVar(&r.remotePort, "remote-port", nil, "only connections with this remote port")
	f.StringSliceVar(&r.addr, "addr", nil, "only connections with this address, or one in this CIDR prefix, on either side")
	f.StringSliceVar(&r.netns, "netns", nil, "only this network namespace: its inode number, a path such as /proc/812/ns/net, or a name of ip netns")
	f.BoolVarP(&r.only4, "ipv4", "4", false, "only IPv4, IPv4-mapped included")
	f.BoolVarP(&r.only6, "ipv6", "6", false, "only IPv6")
}

func (r *socketFlags) validate() (loader.Filter, error) {
	f := loader.Filter{OnlyIPv4: r.only4, OnlyIPv6: r.only6}
	for _, p := range []struct {
		flag string
		in   []string
		out  *[]uint16
	}{
		{"port", r.port, &f.Ports}, {"local-port", r.localPort, &f.LocalPorts}, {"remote-port", r.remotePort, &f.RemotePorts},
	} {
		for _, s := range p.in {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil || n == 0 {
				return f, usagef("--%s %q: want a port number, 1 to 65535", p.flag, s)
			}
			*p.out = append(*p.out, uint16(n))
		}
	}
	for _, s := range r.addr {
		p, err := parsePrefix(s)
		if err != nil {
			return f, usagef("--addr %q: %w", s, err)
		}
		f.Prefixes = append(f.Prefixes, p)
	}
	for _, s := range r.netns {
		n, err := parseNetns(s)
		if err != nil {
			return f, usagef("--netns %q: %w", s, err)
		}
		f.Netns = append(f.Netns, n)
	}
	return f, nil
}

// ownerFlags are the filters by who holds the socket.
type ownerFlags struct {
	pid                     []string
	comm, cgroup, container []string
	pids                    []int
}

func (r *ownerFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&r.pid, "pid", nil, "only sockets of this process")
	f.StringSliceVar(&r.comm, "comm", nil, "only sockets of processes with this name (comm)")
	f.StringSliceVar(&r.cgroup, "cgroup", nil, "only sockets in this cgroup or below it, such as /system.slice")
	f.StringSliceVar(&r.container, "container", nil, "only sockets of this container: its id or the beginning of it")
}

func (r *ownerFlags) validate() error {
	for _, s := range r.pid {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n == 0 {
			return usagef("--pid %q: want a process id", s)
		}
		r.pids = append(r.pids, int(n))
	}
	for _, s := range r.cgroup {
		if !strings.HasPrefix(s, "/") {
			return usagef("--cgroup %q: want a path as in /proc/PID/cgroup, such as /system.slice/ssh.service", s)
		}
	}
	if slices.Contains(r.container, "") {
		return usagef("--container %q: want a container's id", "")
	}
	return nil
}

func (r *ownerFlags) match(s *inventory.Socket) bool {
	if len(r.pids) > 0 && !slices.Contains(r.pids, s.Process.PID) {
		return false
	}
	if len(r.comm) > 0 && !slices.Contains(r.comm, s.Process.Comm) {
		return false
	}
	if len(r.cgroup) > 0 && !slices.ContainsFunc(r.cgroup, func(p string) bool {
		rest, ok := strings.CutPrefix(s.Cgroup, strings.TrimSuffix(p, "/"))
		return ok && s.Cgroup != "" && (rest == "" || rest[0] == '/')
	}) {
		return false
	}
	return len(r.container) == 0 || slices.ContainsFunc(r.container, func(p string) bool {
		return strings.HasPrefix(s.Container, p)
	})
}
