// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// rawStreamFlags are the stream's flags as typed; validate makes
// streamOptions of them, or an error that quotes the input.
type rawStreamFlags struct {
	output                      string
	attach                      string
	all, rtt                    bool
	port, localPort, remotePort []string
	addr, netns, event          []string
	only4, only6, dead, silent  bool
	duration                    time.Duration
	count                       uint64
	btf, ringSize               string
}

// streamOptions say what runStream does.
type streamOptions struct {
	output   string
	load     loader.Options
	filter   events.Filter
	duration time.Duration // 0: until stopped
	count    uint64        // events, 0: until stopped
	debug    bool
}

func (r *rawStreamFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&r.output, "output", "o", "text", "text or json (one object a line)")
	f.StringSliceVar(&r.port, "port", nil, "only connections with this port on either side")
	f.StringSliceVar(&r.localPort, "local-port", nil, "only connections with this local port")
	f.StringSliceVar(&r.remotePort, "remote-port", nil, "only connections with this remote port")
	f.StringSliceVar(&r.addr, "addr", nil, "only connections with this address, or one in this CIDR prefix, on either side")
	f.StringSliceVar(&r.netns, "netns", nil, "only this network namespace: its inode number, a path such as /proc/812/ns/net, or a name of ip netns")
	f.BoolVarP(&r.only4, "ipv4", "4", false, "only IPv4, IPv4-mapped included")
	f.BoolVarP(&r.only6, "ipv6", "6", false, "only IPv6")
	f.StringSliceVar(&r.event, "event", nil, "only these events: "+strings.Join(events.KindNames(), ", "))
	f.BoolVar(&r.dead, "dead", false, "only ends: reset, peer_reset")
	f.BoolVar(&r.silent, "silent", false, "only unanswered: probes that follow an unanswered one or did not leave")
	f.BoolVar(&r.rtt, "rtt", false, "exact round trips; looks at received segments while a probe is out")
	f.BoolVar(&r.all, "all", false, "also firings that sent nothing, zero-window probes, and closes")
	f.DurationVar(&r.duration, "duration", 0, "stop after this time, such as 30s or 5m")
	f.Uint64Var(&r.count, "count", 0, "stop after this many events")
	f.StringVar(&r.attach, "attach", "auto", "how to attach: auto, kprobe, fentry or tracepoint")
	f.StringVar(&r.ringSize, "ring-size", "8MiB", "size of the ring buffer, a power of two: 4KiB to 1GiB")
	f.StringVar(&r.btf, "btf", "", "file with this kernel's BTF, where the kernel has none itself")
	for name, values := range map[string][]string{
		"output": {"text", "json"}, "attach": {"auto", "kprobe", "fentry", "tracepoint"}, "event": events.KindNames(),
	} {
		// Fails only for a flag that is not there.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

func (r *rawStreamFlags) validate() (streamOptions, error) {
	o := streamOptions{output: r.output, duration: r.duration, count: r.count}
	if o.output != "text" && o.output != "json" {
		return o, usagef("--output %q: want text or json", r.output)
	}
	if r.duration < 0 {
		return o, usagef("--duration %s: want a positive time", r.duration)
	}
	backend, err := loader.ParseBackend(r.attach)
	if err != nil {
		return o, usagef("--attach: %w", err)
	}
	size, err := parseSize(r.ringSize)
	if err != nil {
		return o, usagef("--ring-size %q: %w", r.ringSize, err)
	}
	socket := loader.Filter{OnlyIPv4: r.only4, OnlyIPv6: r.only6}
	for _, p := range []struct {
		flag string
		in   []string
		out  *[]uint16
	}{
		{"port", r.port, &socket.Ports}, {"local-port", r.localPort, &socket.LocalPorts}, {"remote-port", r.remotePort, &socket.RemotePorts},
	} {
		for _, s := range p.in {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil || n == 0 {
				return o, usagef("--%s %q: want a port number, 1 to 65535", p.flag, s)
			}
			*p.out = append(*p.out, uint16(n))
		}
	}
	for _, s := range r.addr {
		p, err := parsePrefix(s)
		if err != nil {
			return o, usagef("--addr %q: %w", s, err)
		}
		socket.Prefixes = append(socket.Prefixes, p)
	}
	for _, s := range r.netns {
		n, err := parseNetns(s)
		if err != nil {
			return o, usagef("--netns %q: %w", s, err)
		}
		socket.Netns = append(socket.Netns, n)
	}
	o.filter = events.Filter{Socket: socket, Dead: r.dead, Silent: r.silent}
	for _, s := range r.event {
		k, err := events.ParseKind(s)
		if err != nil {
			return o, usagef("--event: %w", err)
		}
		if needsAll(k) && !r.all {
			return o, usagef("--event %s: these are only seen with --all", k)
		}
		o.filter.Kinds = append(o.filter.Kinds, k)
	}
	o.load = loader.Options{Backend: backend, All: r.all, ExactRTT: r.rtt, Filter: socket, RingSize: size, BTF: r.btf}
	return o, nil
}

// needsAll says that the event only comes with --all.
func needsAll(k events.Kind) bool {
	return k == events.KindTimer || k == events.KindWindowProbe || k == events.KindClosed
}

// parseSize reads a ring size: bytes, KiB, MiB or GiB; a power of two, at
// least a page (the kernel's rule for ring buffers).
func parseSize(s string) (uint32, error) {
	digits, shift := s, 0
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("want a size such as 512KiB or 8MiB")
	}
	page := uint64(os.Getpagesize())
	if n <<= shift; bits.OnesCount64(n) != 1 || n < page || n > 1<<30 {
		return 0, fmt.Errorf("want a power of two from %d bytes to 1GiB", page)
	}
	return uint32(n), nil
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
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w (want an inode number, a path such as /proc/812/ns/net, or a name of ip netns)", path, err)
	}
	return uint32(st.Ino), nil
}
