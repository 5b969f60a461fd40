// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForeign(t *testing.T) {
	got := foreign([]string{
		"TERM=xterm", "TERMINFO=/tmp", "NO_COLOR=", "PATH=/bin", "TMUX=/tmp/tmux,1,0", "TEA_TRACE=/etc/passwd", "UV_DEBUG=/x",
		"LC_ALL=C", "LC_TIME=C", "KATRACE_ACTIVE_HELP=0", "XKATRACE_=1", "TERM", "=x=y",
	})
	want := []string{"TERMINFO", "PATH", "TMUX", "TEA_TRACE", "UV_DEBUG", "LC_TIME", "XKATRACE_", ""}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("names taken away (-want +got):\n%s", d)
	}
}

// TestEnvironmentDocumented: what may be read is in the documentation.
func TestEnvironmentDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/privileges.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range environment {
		if !strings.Contains(string(text), "`"+name) {
			t.Errorf("docs/privileges.md does not mention %s", name)
		}
	}
}
