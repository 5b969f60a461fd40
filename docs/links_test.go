// SPDX-License-Identifier: BSD-2-Clause

package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code     = regexp.MustCompile("(?ms)^ *```.*?^ *```$|`[^`\n]*`")
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	unlinked = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks: what README.md and the pages link to is there, headings too.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../README.md") {
		for _, target := range links(t, page) {
			found++
			if err := reachable(page, target); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			}
		}
	}
	if found < 40 {
		t.Errorf("%d links were found: does this test still see them?", found)
	}
}

// TestReachable: a link that leads nowhere is found.
func TestReachable(t *testing.T) {
	for target, want := range map[string]bool{
		"events.md":                         true,
		"#who-holds-it":                     true,
		"events.md#who-holds-it":            true,
		"../README.md#how-to-read-an-event": true,
		"absent.md":                         false,
		"#who-holds-them":                   false,
		"events.md#absent":                  false,
	} {
		if err := reachable("events.md", target); (err == nil) != want {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// links are those to files of ours, outside of code.
func links(t *testing.T, page string) (targets []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
		if !strings.Contains(m[1], "://") {
			targets = append(targets, m[1])
		}
	}
	return targets
}

func reachable(page, target string) error {
	file, anchor, _ := strings.Cut(target, "#")
	path := page
	if file != "" {
		path = filepath.Join(filepath.Dir(page), file)
	}
	text, err := os.ReadFile(path)
	if info, failed := os.Stat(path); failed == nil && info.IsDir() {
		return nil
	}
	if err != nil || anchor == "" {
		return err
	}
	for _, h := range heading.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
		if strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading #%s", path, anchor)
}
