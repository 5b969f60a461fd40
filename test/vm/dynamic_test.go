// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLdd(t *testing.T) {
	got, err := parseLdd(`	linux-vdso.so.1 (0x00007ffd2d3f6000)
	libpcap.so.0.8 => /lib/x86_64-linux-gnu/libpcap.so.0.8 (0x00007f1d1e2a1000)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1d1e0c0000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f1d1e3f0000)
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/lib/x86_64-linux-gnu/libpcap.so.0.8", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("paths (-want +got):\n" + diff)
	}
	if _, err := parseLdd("\tlibgone.so.1 => not found\n"); err == nil {
		t.Error("a library that is not found is no error")
	}
}
