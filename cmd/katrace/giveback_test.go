// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestUnchanged(t *testing.T) {
	const smaps = `00400000-00c7f000 r-xp 00000000 fe:01 1234                               /usr/bin/katrace
Size:               8700 kB
Rss:                7032 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00c7f000-015cf000 r--p 0087f000 fe:01 1234                               /usr/bin/katrace
Anonymous:             0 kB
015cf000-0182a000 rw-p 011cf000 fe:01 1234                               /usr/bin/katrace
Anonymous:             0 kB
0182a000-0183a000 r--p 011cf000 fe:01 1234                               /usr/bin/katrace
Anonymous:            64 kB
7f09a4000000-7f09a4543000 r--p 00000000 00:16 3741                       /sys/kernel/btf/vmlinux
Anonymous:             0 kB
7f09a464e000-7f09a4e50000 r--s 00001000 00:0e 9                          anon_inode:bpf-map
Anonymous:             0 kB
7f09a4e5d000-7f09a505d000 r--p 00000000 00:00 0 
Anonymous:             0 kB
7fffb4bf6000-7fffb4bf8000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0xc7f000}, {0xc7f000, 0x15cf000}}
	const path = "/usr/bin/katrace"
	for _, program := range []string{path, path + " (deleted)", "/a dir/with  spaces"} {
		if got := unchanged(strings.NewReader(strings.ReplaceAll(smaps, path, program)), program); !slices.Equal(got, want) {
			t.Errorf("%s: %x, want %x", program, got, want)
		}
	}
}

// TestGiveBack: much of the program file is not resident any more, and the program
// goes on.
func TestGiveBack(t *testing.T) {
	file, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	sum := func() (n int) {
		for _, f := range newRootCommand().Commands() { // runs code and reads constants all over
			n += len(f.UsageString())
		}
		return n
	}
	before := sum()
	was := residentFile(t)
	giveBack()
	is := residentFile(t)
	t.Logf("%d KiB of files were resident, and %d KiB are, of a program of %d KiB", was, is, len(file)>>10)
	if is > was/2 {
		t.Errorf("%d KiB of files are resident, before they were %d KiB", is, was)
	}
	if after := sum(); after != before {
		t.Errorf("what the program says has another length: %d, before %d", after, before)
	}
}

// residentFile is how much of the mappings that are given back is resident, in KiB.
func residentFile(t *testing.T) (sum int) {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps") // exact, unlike RssFile of status
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	resident := regexp.MustCompile(`\nRss: +([0-9]+) kB\n`)
	for _, m := range regexp.MustCompile(`(?m)^VmFlags:.*\n`).Split(string(smaps), -1) {
		if rss := resident.FindStringSubmatch(m); rss != nil && len(unchanged(strings.NewReader(m), program)) > 0 {
			n, _ := strconv.Atoi(rss[1])
			sum += n
		}
	}
	return sum
}
