// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"strings"

	"katrace/internal/events"
)

// filterWords writes a filter as it is given on the command line,
// "--port 5432,5433 --dead"; "" for one that wants all.
func filterWords(f *events.Filter) string {
	var words []string
	set := func(flag string, on bool) {
		if on {
			words = append(words, flag)
		}
	}
	s := &f.Socket
	words = appendList(words, "--pid", f.Owner.PIDs)
	words = appendList(words, "--comm", f.Owner.Comms)
	words = appendList(words, "--port", s.Ports)
	words = appendList(words, "--local-port", s.LocalPorts)
	words = appendList(words, "--remote-port", s.RemotePorts)
	words = appendList(words, "--addr", s.Prefixes)
	words = appendList(words, "--netns", s.Netns)
	words = appendList(words, "--cgroup", f.Owner.Cgroups)
	words = appendList(words, "--container", f.Owner.Containers)
	words = appendList(words, "--event", f.Kinds)
	set("-4", s.OnlyIPv4)
	set("-6", s.OnlyIPv6)
	set("--dead", f.Dead)
	set("--silent", f.Silent)
	return strings.Join(words, " ")
}

// appendList appends a flag with its values, if there are any.
func appendList[T any](words []string, flag string, values []T) []string {
	if len(values) == 0 {
		return words
	}
	said := make([]string, len(values))
	for i, v := range values {
		said[i] = fmt.Sprint(v)
		if p, ok := any(v).(netip.Prefix); ok && p.IsSingleIP() {
			said[i] = p.Addr().String()
		}
	}
	return append(words, flag, strings.Join(said, ","))
}
