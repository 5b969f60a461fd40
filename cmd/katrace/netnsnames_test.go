// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNetnsNames: a name is that of the namespace behind it; what is none has none.
func TestNetnsNames(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/proc/self/ns/net", filepath.Join(dir, "red")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blue"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := parseNetns("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var n netnsNames
	if got := n.name(own); got != "" {
		t.Errorf("before it was read: %q", got)
	}
	n.read(dir)
	if got := n.name(own); got != "red" || len(*n.byInode.Load()) != 1 {
		t.Errorf("%q among %v", got, *n.byInode.Load())
	}
	n.read(filepath.Join(dir, "none"))
	if got := n.name(own); got != "" {
		t.Errorf("the directory has gone: %q", got)
	}
}
