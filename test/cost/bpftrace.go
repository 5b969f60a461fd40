// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	_ "embed"
	"fmt"
	"os/exec"
	"strconv"

	"github.com/cilium/ebpf/btf"
)

//go:embed keepalive.bt
var script string

// bpftrace is the variant that runs keepalive.bt.
func bpftrace() (variant, error) {
	program, err := exec.LookPath("bpftrace")
	if err != nil {
		return variant{}, fmt.Errorf("%w (Debian's package bpftrace)", err)
	}
	offset, err := timerOffset()
	if err != nil {
		return variant{}, err
	}
	return variant{
		name: "bpftrace",
		// Its maps hold 4096 entries, its buffer 64 pages a processor unless told.
		argv:  []string{"env", "BPFTRACE_MAP_KEYS_MAX=65536", "BPFTRACE_PERF_RB_PAGES=2048", program, "-e", script, strconv.Itoa(int(offset))},
		ready: "attached",
		event: "%s ",
	}, nil
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
		for _, m := range s.Members {
			if m.Name == f[1] {
				return m.Offset.Bytes(), nil
			}
		}
	}
	return 0, fmt.Errorf("the kernel's sockets have no keepalive timer that is known")
}
