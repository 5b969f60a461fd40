// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// The scripts: as many of katrace's facts as bpftrace can have, or the count alone.
var (
	//go:embed tracepoint.bt
	byTracepoint string
	//go:embed kprobe.bt
	byKprobe string
	//go:embed tracepoint-count.bt
	countByTracepoint string
	//go:embed kprobe-count.bt
	countByKprobe string
)

// script is one for bpftrace, and the limits that it runs with, which are variables
// of the environment: unless told, a map holds 4,096 entries and a processor's buffer
// 64 pages.
type script struct {
	text   string
	limits []string
}

// The first of them had another name before 0.21.
var large = []string{"BPFTRACE_MAX_MAP_KEYS=1000000", "BPFTRACE_MAP_KEYS_MAX=1000000", "BPFTRACE_PERF_RB_PAGES=2048"}

var scripts = map[string]script{
	"bpftrace":              {byTracepoint, nil},
	"bpftrace-large":        {byTracepoint, large},
	"bpftrace-count":        {countByTracepoint, nil},
	"bpftrace-kprobe":       {byKprobe, nil},
	"bpftrace-kprobe-large": {byKprobe, large},
	"bpftrace-kprobe-count": {countByKprobe, nil},
}

func (s script) peer() (Peer, error) {
	offset, err := timerOffset()
	if err != nil {
		return Peer{}, err
	}
	return Peer{
		Argv:  []string{"bpftrace", "-e", s.text, strconv.Itoa(int(offset))},
		Env:   s.limits,
		Ready: "attached",
		Read:  readBpftrace,
	}, nil
}

// readBpftrace counts the lines of probes, or takes the count that a script made.
func readBpftrace(out, say io.Reader, netns uint64) (Told, error) {
	told := Told{Counts: true}
	probe, counted := fmt.Sprintf(" netns %d ", netns), fmt.Sprintf("@probes[%d]: ", netns)
	for _, r := range []io.Reader{out, say} {
		err := each(r, func(line string) error {
			var n uint64
			switch {
			case strings.HasPrefix(line, "probe ") && strings.Contains(line, probe):
				told.Probes++
			case strings.HasPrefix(line, counted):
				n, err := strconv.ParseUint(line[len(counted):], 10, 64)
				told.Probes += n
				return err
			case strings.HasPrefix(line, "Lost "):
				_, err := fmt.Sscanf(line, "Lost %d events", &n)
				told.Lost += n
				return err
			}
			return nil
		})
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

// timerOffset is the place of the keepalive timer in a socket, in bytes; see
// sock_of_timer in bpf/compat.h.
func timerOffset() (uint32, error) {
	types, err := btf.LoadKernelSpec()
	if err != nil {
		return 0, fmt.Errorf("read the kernel's BTF: %w", err)
	}
	for _, f := range [][2]string{{"inet_connection_sock", "icsk_keepalive_timer"}, {"sock", "sk_timer"}} {
		var s *btf.Struct
		if err := types.TypeByName(f[0], &s); err != nil {
			return 0, err
		}
		if offset, ok := member(s.Members, f[1]); ok {
			return offset, nil
		}
	}
	return 0, errors.New("the kernel's sockets have no keepalive timer that is known")
}

// member is the place of a member, in bytes, also of one in a union without a name.
func member(members []btf.Member, name string) (offset uint32, ok bool) {
	for _, m := range members {
		if m.Name == name {
			return m.Offset.Bytes(), true
		}
		if union, isUnion := btf.As[*btf.Union](m.Type); isUnion && m.Name == "" {
			if inside, ok := member(union.Members, name); ok {
				return m.Offset.Bytes() + inside, true
			}
		}
	}
	return 0, false
}
