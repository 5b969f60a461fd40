// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const top = "../.."

// pages are those that make docs-output remakes.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(top + "/docs/*.md")
	if err != nil || len(found) < 10 {
		t.Fatalf("docs/*.md: %d pages, %v", len(found), err)
	}
	return append(found, top+"/README.md")
}

// TestCurrent: the blocks that need neither root nor a guest hold what katrace
// prints today.
func TestCurrent(t *testing.T) {
	katrace := filepath.Join(t.TempDir(), "katrace")
	if out, err := exec.Command("go", "build", "-o", katrace, top+"/cmd/katrace").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := newMaker(katrace, top)
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		made += strings.Count(string(text), "<!-- output")
		now, err := m.remake(text)
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		if d := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(string(now), "\n")); d != "" {
			t.Errorf("%s is not what katrace prints: run make docs-output\n%s", page, d)
		}
	}
	if made == 0 {
		t.Error("no block was made")
	}
}

// TestRemake holds one block of each kind.
func TestRemake(t *testing.T) {
	m := &maker{top: ".", bin: "/nowhere", hz: "hz=250"}
	m.demos = map[string][]string{"6.1": {
		"  0.50s  mine         enabled  on",
		"  0.61s  other        probe    not mine",
		"  1.75s  mine         probe    sent",
		"case  staged",
	}}
	for _, tt := range []struct{ name, page, want string }{
		{"the comment's command", "<!-- output: echo new -->\n```\nold\n```\nrest", "<!-- output: echo new -->\n```\nnew\n```\nrest"},
		{"a first line that shows another", "<!-- output: echo new -->\n```\n$ sudo x\nold\n```", "<!-- output: echo new -->\n```\n$ sudo x\nnew\n```"},
		{"the block's own commands", "<!-- output -->\n```\n$ sudo echo a\n$ echo b\nold\n```", "<!-- output -->\n```\n$ sudo echo a\na\n$ echo b\nb\n```"},
		{"indented, an empty line is not", "  <!-- output: printf 'a\\n\\nb\\n' -->\n  ```\n  ```", "  <!-- output: printf 'a\\n\\nb\\n' -->\n  ```\n  a\n\n  b\n  ```"},
		{"another kernel's", "<!-- output hz=1000: echo new -->\n```\nold\n```", "<!-- output hz=1000: echo new -->\n```\nold\n```"},
		{"this kernel's", "<!-- output hz=250: echo new -->\n```\nold\n```", "<!-- output hz=250: echo new -->\n```\nnew\n```"},
		{"a demo", "<!-- demo 6.1: mine -->\n```\nold\n```", "<!-- demo 6.1: mine -->\n```\n  0.00s  enabled  on\n  1.25s  probe    sent\n```"},
		{"a part of it", "<!-- demo 6.1: mine | tail -n 1 -->\n```\n```", "<!-- demo 6.1: mine | tail -n 1 -->\n```\n  1.25s  probe    sent\n```"},
		{"without a comment", "```\n$ echo new\nold\n```", "```\n$ echo new\nold\n```"},
	} {
		got, err := m.remake([]byte(tt.page))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d := cmp.Diff(tt.want, string(got)); d != "" {
			t.Errorf("%s:\n%s", tt.name, d)
		}
	}
	for name, page := range map[string]string{
		"no block":       "<!-- output: echo new -->\ntext",
		"no end":         "<!-- output: echo new -->\n```\nold",
		"command fails":  "<!-- output: exit 3 -->\n```\n```",
		"no such case":   "<!-- demo 6.1: absent -->\n```\n```",
		"no such kernel": "<!-- demo 5.10: mine -->\n```\n```",
	} {
		if _, err := m.remake([]byte(page)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	m.demos = nil
	kept := "<!-- demo 6.1: mine -->\n```\nold\n```"
	if got, err := m.remake([]byte(kept)); err != nil || string(got) != kept {
		t.Errorf("without guests: %q, %v", got, err)
	}
}

// TestFold: a folded line is the same JSON, in lines that fit a page.
func TestFold(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 60) + `","b":{"c":1,"d":"` + strings.Repeat(`\",`, 20) + `"},"e":[1,2],"f":"` + strings.Repeat("y", 70) + `"}`
	want := []string{
		`{"a":"` + strings.Repeat("x", 60) + `",`,
		` "b":{"c":1,"d":"` + strings.Repeat(`\",`, 20) + `"},"e":[1,2],`,
		` "f":"` + strings.Repeat("y", 70) + `"}`,
	}
	if d := cmp.Diff(want, fold(long)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{`{"a":1}`}, fold(`{"a":1}`)); d != "" {
		t.Error(d)
	}
}
