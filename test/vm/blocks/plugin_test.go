// SPDX-License-Identifier: BSD-2-Clause

package blocks

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// say is what a program does that says it: instructions at an address of its own.
func say(within uint64, last int) string {
	var b strings.Builder
	for bit := 63; bit >= 0; bit-- {
		fmt.Fprintf(&b, "401000 0f1f8400%02x74616b c3\n", within>>bit&1)
	}
	fmt.Fprintf(&b, "401000 0f1f8400%02x74616b c3\n", last)
	return b.String()
}

func beginning(within uint64) string { return say(within, 2) }

const ending = "401000 0f1f84000374616b c3\n"

// runPlugin gives the plugin the blocks that an emulator would run, and returns what it counted.
func runPlugin(t *testing.T, plugin, ran string) []Phase {
	t.Helper()
	out := filepath.Join(t.TempDir(), "counts")
	cmd := exec.Command(plugin, "out="+out)
	cmd.Stdin = strings.NewReader(ran)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	phases, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return phases
}

// The plugin counts what a function does, however it is entered, and nothing else.
func TestPlugin(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	plugin := filepath.Join(t.TempDir(), "plugin")
	if text, err := exec.Command("gcc", "-o", plugin, "../plugin/blocks_test.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	const (
		softirqs = 0xffffffff81000100
		// A caller, and what comes behind its call.
		calls  = "ffffffff81000000 90 e800000000\n"
		behind = "ffffffff81000006 90 90\n"
		// The function: it calls another one, and returns.
		body   = "ffffffff81000100 90 90 ff15aabbccdd\nffffffff81000200 90 c3\nffffffff81000108 c3\n"
		jumps  = "ffffffff81000300 90 eb00\n"
		thunk  = "ffffffff81000400 e807000000\nffffffff8100040c 48893c24 c3\n"
		copies = "ffffffff81000500 90 f3a4\nffffffff81000501 f3a4\nffffffff81000501 f3a4\nffffffff81000501 f3a4\n"
	)
	within := Phase{{0xffffffff81000100, 3, 1}, {0xffffffff81000108, 1, 1}, {0xffffffff81000200, 2, 1}}
	for _, test := range []struct {
		name, ran string
		want      Phase
	}{
		{"called", beginning(softirqs) + calls + body + behind + ending, within},
		{"called by a register", beginning(softirqs) + "ffffffff81000001 90 90 41ffd3\n" + body + behind + ending, within},
		{"called by a retpoline", beginning(softirqs) + calls + thunk + body + behind + ending, within},
		{"jumped to, after a call that is over", beginning(softirqs) + calls + "ffffffff81000300 90 e800000000\nffffffff81000200 90 c3\nffffffff81000306 eb00\n" + body + behind + ending, within},
		{"jumped to by who was called", beginning(softirqs) + calls + jumps + body + behind + ending, within},
		{"everything", beginning(0) + behind + ending, Phase{{0xffffffff81000006, 2, 1}}},
		{"before and after", calls + body + behind + beginning(0) + ending + body, nil},
		{"one that repeats itself", beginning(0) + copies + copies + ending, Phase{{0xffffffff81000500, 2, 2}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := runPlugin(t, plugin, test.ran)
			if len(got) != 1 {
				t.Fatalf("%d phases, want 1", len(got))
			}
			slices.SortFunc(got[0], func(a, b Block) int { return cmp.Compare(a.Address, b.Address) })
			if diff := gocmp.Diff(test.want, got[0]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
