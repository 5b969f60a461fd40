// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"
)

func TestComplaints(t *testing.T) {
	const quiet = `[    0.000000] Linux version 6.12.107+deb13-cloud-amd64
[    0.100000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!
[    0.200000] clocksource: Long readout interval, skipping watchdog check
[    0.300000] ima: Allocated hash algorithm: sha256
[    0.400000] RAS: Correctable Errors collector initialized.
`
	if got := complaints(quiet); got != nil {
		t.Errorf("complaints %q in a quiet log", got)
	}
	for _, first := range []string{
		"WARNING: CPU: 0 PID: 91 at net/ipv4/tcp.c:2781 tcp_fin+0x1/0x2",
		"WARNING: net/ipv4/tcp.c:2781 at tcp_fin+0x1/0x2, CPU#0: e2e.test/91",
		"WARNING: possible circular locking dependency detected",
		"BUG: kernel NULL pointer dereference, address: 0000000000000000",
		"Oops: int3: 0000 [#2] PREEMPT SMP NOPTI",
		"general protection fault, probably for non-canonical address 0xdead000000000100",
		"Internal error: Oops: 0000000096000004 [#1] SMP",
		"Kernel panic - not syncing: Fatal exception in interrupt",
	} {
		log := quiet + "[    2.000000] " + first + "\n[    2.000001] Call Trace:\n[    2.000002] ---[ end trace 0000000000000000 ]---\n[    3.000000] something else\n"
		got := complaints(log)
		if len(got) != 1 || !strings.Contains(got[0], first) || !strings.Contains(got[0], "end trace") || strings.Contains(got[0], "something else") {
			t.Errorf("complaints in a log with %q: %q", first, got)
		}
	}
}
