// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTypesFrom: what has no end, never begins, or is far too large is refused
// before it is read, and the file is named.
func TestTypesFrom(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := unix.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"large": mostBTF + 1, "zeros": 1 << 10, "empty": 0} {
		if err := os.WriteFile(path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path(name), size); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{
		"/dev/null": "not a regular file", "/dev/zero": "not a regular file", dir: "not a regular file", path("fifo"): "not a regular file",
		path("large"): "no kernel's BTF is larger than", path("zeros"): "", path("empty"): "", path("missing"): "no such file",
	} {
		if _, err := TypesFrom(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"`+file+`"`) {
			t.Errorf("%s: %v, want %q and the file's name", file, err, want)
		}
	}
	const kernels = "/sys/kernel/btf/vmlinux"
	if _, err := os.Stat(kernels); err != nil {
		return
	}
	if spec, err := TypesFrom(kernels); err != nil || spec == nil {
		t.Errorf("the running kernel's: %v", err)
	}
}
