// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"katrace/internal/events"
)

// TestBTF: --btf takes the kernel's types from a file, as kernels without
// their own need it, and says which file it is that holds none.
func TestBTF(t *testing.T) {
	nativeOnly(t)
	kernel, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("the kernel's", func(t *testing.T) {
		l := newLoad(t, 1, true, 9)
		r := start(t, "--btf", file("vmlinux.btf", kernel), l.only(), "--event", "probe", "--count", "2")
		l.begin()
		r.wait()
		for _, e := range ofConns(r.seen()) {
			if e.Unanswered > 1 && e.Verdict != events.VerdictSilent || e.Netns != l.inum || e.Keepalive.Count != 9 {
				t.Errorf("the kernel's own BTF, from a file, reads this: %+v", e)
			}
		}
		if n := len(ofConns(r.seen())); n != 2 {
			t.Errorf("%d probes, want 2", n)
		}
	})
	for name, path := range map[string]string{
		"absent":    filepath.Join(t.TempDir(), "none.btf"),
		"cut short": file("short.btf", kernel[:len(kernel)/2]),
		"no BTF":    file("text.btf", []byte("not at all")),
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := katrace(t, "-o", "json", "--attach", string(anyBackend()), "--btf", path)
			if want := fmt.Sprintf("read BTF from %q", path); status != 1 || !strings.Contains(stderr, want) {
				t.Errorf("exit status %d, want 1; stderr: %s, want it to have %q", status, stderr, want)
			}
		})
	}
}
