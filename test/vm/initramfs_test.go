// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInitramfs(t *testing.T) {
	var archive bytes.Buffer
	a := newInitramfs(&archive)
	for name, text := range map[string]string{"/a/b/one": "1", "/two": "twotwo"} {
		if err := a.text(name, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if archive.Len()%4 != 0 || int64(archive.Len()) != a.size {
		t.Errorf("archive of %d bytes, counted %d", archive.Len(), a.size)
	}
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio to read it back with; a guest that boots does")
	}
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = &archive
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for name := range strings.FieldsSeq(string(out)) {
		got[name] = true
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "a/b": true, "a/b/one": true, "two": true}, got); diff != "" {
		t.Error("names (-want +got):\n" + diff)
	}
}
