// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"katrace/test/vm/internal/wire"
)

// TestApplySettings: what is not taken, or not kept, is a problem.
func TestApplySettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, []byte("a longer text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		setting wire.Setting
		want    string // "": no problem
	}{
		{wire.Setting{Path: file, Text: "1"}, ""},
		{wire.Setting{Path: "/dev/null", Text: "1"}, `set /dev/null to "1": it is "" now`},
		{wire.Setting{Path: file + "/none", Text: "1"}, "not a directory"},
		{wire.Setting{Path: filepath.Dir(file) + "/none", Text: "1"}, "no such file"},
	} {
		got := strings.Join(applySettings([]wire.Setting{c.setting}), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q", c.setting, got, c.want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "1" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestFacilities: every one that a plan may name is looked for.
func TestFacilities(t *testing.T) {
	for _, name := range wire.Facilities {
		if facilities[name] == nil {
			t.Errorf("nothing looks for %s", name)
		}
	}
	if len(facilities) != len(wire.Facilities) {
		t.Errorf("%d are looked for, and a plan may name %d", len(facilities), len(wire.Facilities))
	}
}
