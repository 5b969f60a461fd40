// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"katrace/internal/loader"
)

// TestSwitches: what the kernel has switched off is not attached, and named; what
// works all the same is used. The switches are the whole machine's: in guests only.
func TestSwitches(t *testing.T) {
	if !emulated() {
		t.Skip("it would switch things off on this machine")
	}
	for _, tt := range []struct {
		file    string
		says    string
		keeps   []loader.Backend // from being used
		chooses loader.Backend
	}{
		{"/sys/kernel/debug/kprobes/enabled", "kprobes are switched off", []loader.Backend{loader.Kprobe}, loader.Fentry},
		{"/proc/sys/kernel/ftrace_enabled", "ftrace is switched off", []loader.Backend{loader.Fentry}, ""},
		{"/proc/sys/net/core/bpf_jit_enable", "the BPF JIT compiler is switched off", nil, loader.Kprobe},
	} {
		t.Run(tt.says, func(t *testing.T) {
			was, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(tt.file, []byte("0"), 0); err != nil {
				t.Skip(err) // newer kernels do not let ftrace be switched off
			}
			defer func() {
				if err := os.WriteFile(tt.file, was, 0); err != nil {
					t.Error(err)
				}
			}()
			r, stdout, status := doctor(t)
			if status != 0 || !strings.Contains(strings.Join(r.Notes, "\n"), tt.says) || tt.chooses != "" && r.Chosen != tt.chooses {
				t.Errorf("exit status %d, %q is chosen, want %q, and %q said:\n%s", status, r.Chosen, tt.chooses, tt.says, stdout)
			}
			for _, b := range r.Backends {
				if kept := slices.Contains(tt.keeps, b.Backend); kept && b.Usable {
					t.Errorf("%s can be used:\n%s", b.Backend, stdout)
				}
				if b.Usable {
					b.allFired(t)
				}
			}
			for _, b := range tt.keeps {
				if _, stderr, status := katrace(t, "-o", "text", "--duration", "10ms", "--attach", string(b)); status != 3 || !strings.Contains(stderr, tt.says) {
					t.Errorf("%s: exit status %d, want 3:\n%s", b, status, stderr)
				}
			}
		})
	}
}
