// SPDX-License-Identifier: BSD-2-Clause

package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestWalk: each file of architecture.md's "The walk of one field" has the word
// that the table names.
func TestWalk(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, walk, _ := strings.Cut(string(text), "\n## The walk of one field\n")
	walk, _, _ = strings.Cut(walk, "\n## ")
	steps := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(walk, -1)
	if len(steps) < 15 {
		t.Fatalf("the walk has %d steps: does this test still see them?", len(steps))
	}
	for _, step := range steps {
		file, word := step[1], step[2]
		source, err := os.ReadFile("../" + file)
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(source), word) {
			t.Errorf("%s has no %s", file, word)
		}
	}
}
