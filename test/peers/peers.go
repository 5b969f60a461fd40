// SPDX-License-Identifier: BSD-2-Clause

// Package peers runs other tools that see something of the keepalive timer, or of
// its probes, beside katrace: how each is started, and what its output says of the
// probes of one network namespace.
package peers

import (
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// Peer is a tool as one would use it to find keepalive probes.
type Peer struct {
	// Argv is the command, which runs until SIGINT, and Env what is added to its
	// environment.
	Argv, Env []string
	// Ready is in its output once it traces.
	Ready string
	// Read finds in its output (out: standard output, say: standard error) what it
	// told of the probes of the network namespace with this inode number.
	Read func(out, say io.Reader, netns uint64) (Told, error)
	// Ask, in the place of Read, is for a tool that is asked while it runs, on the
	// calling thread's loopback.
	Ask func() (Told, error)
}

// Told is what a tool told.
type Told struct {
	Probes uint64 // probes in its output
	// Lost is how many events it says itself that it lost, and Counts whether it
	// has any way of saying so.
	Lost   uint64
	Counts bool
}

// tools are those that are not a script of bpftrace's.
var tools = map[string]Peer{
	"tcpdump": tcpdump,
	"tshark":  tshark,
	"pwru":    pwru,
	"ss":      ss,

	"ebpf_exporter": ebpfExporter,
}

// Names are all tools that New knows.
func Names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(tools)), maps.Keys(scripts))
	slices.Sort(names)
	return names
}

// New is the tool of a name. Its program has to be on this machine.
func New(name string) (p Peer, err error) {
	if s, ok := scripts[name]; ok {
		p, err = s.peer()
	} else if p, ok = tools[name]; !ok {
		return p, fmt.Errorf("no tool %q: there are %s", name, strings.Join(Names(), ", "))
	}
	if err == nil {
		_, err = exec.LookPath(p.Argv[0])
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}
