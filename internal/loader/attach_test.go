// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAttachRefused: where one hook is refused after others are attached, none
// of them stays, and the error names the hook. Each hook is refused in turn.
func TestAttachRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	types, err := KernelTypes("")
	if err != nil {
		t.Skip(err)
	}
	whole, err := open(Tracepoint, &Options{}, types)
	if err != nil {
		t.Skip(err)
	}
	if len(kernelObjects(t)) == 0 {
		t.Error("nothing in the kernel while attached: this test sees nothing")
	}
	whole.Close()
	good := hooks[Tracepoint]
	defer func() { hooks[Tracepoint] = good }()
	for i, h := range good {
		if h.gives != "" {
			continue
		}
		bad := slices.Clone(good)
		bad[i].at = "no_such_tracepoint"
		hooks[Tracepoint] = bad
		_, err := open(Tracepoint, &Options{}, types)
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "attach raw tracepoint no_such_tracepoint: ") {
			t.Errorf("without %s: %v, want an error that names the hook", h, err)
		}
		if left := kernelObjects(t); len(left) > 0 {
			t.Errorf("without %s these stay:\n%s", h, strings.Join(left, "\n"))
		}
	}
}

// kernelObjects lists the BPF programs, maps and links that this process holds.
func kernelObjects(t *testing.T) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the descriptor by which this directory was read
		}
		for _, key := range []string{"prog_id:", "map_id:", "link_id:"} {
			if strings.Contains(string(text), key) {
				found = append(found, name+":\n"+string(text))
				break
			}
		}
	}
	return found
}
