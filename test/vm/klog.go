// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"regexp"
	"strings"
)

// complaint matches the first line of what a kernel says when it found itself
// at fault. WARNING is followed by "CPU:" up to 6.18 and by a file later;
// "Spectre V2 : WARNING: Unprivileged eBPF is enabled…" is advice.
var complaint = regexp.MustCompile(`^\[[^]]*\] (WARNING: (CPU|\S+:\d+|.*lock|.*suspicious|possible|bad unlock|inconsistent)|BUG:|kernel BUG at|Oops|general protection fault|Unable to handle kernel|Internal error|Kernel panic|UBSAN:|KASAN:|INFO: task .* blocked for more|unregister_netdevice: waiting)`)

// complaintLines is how much of a complaint is shown: a trace has about so many lines.
const complaintLines = 40

// complaints returns the parts of a kernel log in which the kernel complains.
func complaints(log string) []string {
	var out []string
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if !complaint.MatchString(lines[i]) {
			continue
		}
		end := min(i+complaintLines, len(lines))
		for j := i + 1; j < end; j++ {
			if strings.Contains(lines[j], "---[ end trace") {
				end = j + 1
			}
		}
		out = append(out, strings.Join(lines[i:end], "\n"))
		i = end - 1
	}
	return out
}

// The kernel's taints that a test must not cause (Documentation/admin-guide/tainted-kernels.rst).
const (
	taintDie        = 1 << 7  // an Oops or BUG
	taintWarn       = 1 << 9  // a WARN
	taintSoftLockup = 1 << 14 // a processor that hung
)

// kernelFault says what is wrong with the kernel of a guest that ended; "" if nothing.
func kernelFault(o *outcome) string {
	found := complaints(string(o.kernelLog))
	if len(found) > 0 {
		return "the guest's kernel complains:\n" + strings.Join(found, "\n…\n")
	}
	if bad := o.tainted & (taintDie | taintWarn | taintSoftLockup); bad != 0 {
		return fmt.Sprintf("the guest's kernel is tainted (%#x): it warned or crashed; its log:\n%s", bad, lastLines(string(o.kernelLog), complaintLines))
	}
	return ""
}
