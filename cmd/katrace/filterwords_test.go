// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"katrace/internal/events"
)

// TestFilterWords: what the view says of the filter is what was given.
func TestFilterWords(t *testing.T) {
	for _, line := range []string{
		"", "--port 5432,5433", "--port 80 --pid 7 --comm shop", "--local-port 1 --remote-port 2", "--addr 10.0.0.0/8,10.1.1.1,2001:db8::1,2001:db8::/32",
		"--netns 4026531840 --cgroup /system.slice/32 --container 3f2a", "-4 --event probe,reset", "-6 --dead --silent",
	} {
		cmd := &cobra.Command{}
		addEventFlags(cmd, groupTrace, new(events.Filter))
		cmd.Flags().Bool("all", false, "no part of the filter")
		if err := cmd.ParseFlags(strings.Fields(line + " --all")); err != nil {
			t.Fatal(err)
		}
		if got := filterWords(cmd.Flags()); got != line {
			t.Errorf("got %q, want %q", got, line)
		}
	}
}
