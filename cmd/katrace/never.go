// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

// refuseNever refuses filters of which each is right and which no event or
// socket can match together: it would be waited for in vain.
func refuseNever(f *events.Filter) error {
	s := &f.Socket
	is4 := func(p netip.Prefix) bool { return p.Addr().Is4() }
	is6 := func(p netip.Prefix) bool { return !is4(p) }
	switch {
	case len(s.Prefixes) == 0 || s.OnlyIPv4 == s.OnlyIPv6:
	case s.OnlyIPv4 && !slices.ContainsFunc(s.Prefixes, is4):
		return usagef("-4 with --addr %s: no IPv4 connection has such an address", s.Prefixes[0])
	case s.OnlyIPv6 && !slices.ContainsFunc(s.Prefixes, is6):
		return usagef("-6 with --addr %s: no IPv6 connection has such an address (IPv4-mapped ones count as IPv4)", s.Prefixes[0])
	}
	given := func(port uint16) bool {
		return slices.Contains(s.LocalPorts, port) || slices.Contains(s.RemotePorts, port)
	}
	if len(s.Ports) > 0 && len(s.LocalPorts) > 0 && len(s.RemotePorts) > 0 && !slices.ContainsFunc(s.Ports, given) {
		return usagef("--port %d: neither --local-port nor --remote-port allows it", s.Ports[0])
	}
	if len(f.Kinds) == 0 || slices.ContainsFunc(f.Kinds, f.Takes) {
		return nil
	}
	var flags []string
	for _, c := range []struct {
		given bool
		flag  string
	}{{f.Dead, "--dead"}, {f.Silent, "--silent"}, {f.Changes, "--changes"}} {
		if c.given {
			flags = append(flags, c.flag)
		}
	}
	rest := *f
	rest.Kinds = nil
	left := slices.DeleteFunc(events.Kinds(), func(k events.Kind) bool { return !rest.Takes(k) })
	return usagef("--event %s with %s, which leaves only: %s", join(f.Kinds), strings.Join(flags, " and "), join(left))
}

// join is "probe, answer".
func join[T fmt.Stringer](values []T) string {
	var names []string
	for _, v := range values {
		names = append(names, v.String())
	}
	return strings.Join(names, ", ")
}

// lacking says that the backend, by what it can know, gives none of these events.
func lacking(kinds []events.Kind, b loader.Backend, facts loader.Facts) error {
	gives := func(k events.Kind) bool {
		switch k {
		case events.KindICMP:
			return facts.ICMP
		case events.KindWindowProbe:
			return facts.WindowProbes
		case events.KindProbed:
			return facts.Probed
		case events.KindEnabled:
			return facts.Enabled
		case events.KindDropped:
			return facts.Dropped
		default:
			return true
		}
	}
	if b == loader.Auto || len(kinds) == 0 || slices.ContainsFunc(kinds, gives) {
		return nil
	}
	return fmt.Errorf("the %s backend cannot see that (katrace doctor says what each can)", b)
}

// refuseMissing refuses processes that do not exist, and says on stderr what
// else of the filter does not exist now and may yet come.
func refuseMissing(f *events.Filter, names *nameOptions, say io.Writer) error {
	for _, pid := range f.Owner.PIDs {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if errors.Is(err, os.ErrNotExist) && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			return usagef("--pid %d: there is no such process", pid)
		}
		var group int
		if _, rest, ok := strings.Cut(string(status), "\nTgid:"); ok {
			_, _ = fmt.Sscan(rest, &group)
		}
		if group != 0 && group != pid {
			return usagef("--pid %d: that is a thread of process %d: give that", pid, group)
		}
	}
	if len(f.Owner.Containers) > 0 && !names.containers { // a name may be meant
		all := owner.Containers()
		for _, id := range f.Owner.Containers {
			if !slices.ContainsFunc(all, func(c string) bool { return strings.HasPrefix(c, id) }) {
				fmt.Fprintf(say, "katrace: --container %q: no process that may be seen is in such a container now\n", id)
			}
		}
	}
	if err := names.refuseUnnamed(&f.Owner, say); err != nil {
		return err
	}
	for _, inum := range f.Socket.Netns {
		if there, err := inventory.NetnsExists(inum); err == nil && !there {
			fmt.Fprintf(say, "katrace: --netns %d: no process that may be seen is in such a network namespace now, and none is mounted\n", inum)
		}
	}
	return nil
}
