// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpFits: what --help says of a command fits on a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	root := newRootCommand()
	for _, cmd := range append(root.Commands(), root) {
		for line := range strings.SplitSeq(cmd.Long, "\n") {
			if len(line) > 80 {
				t.Errorf("%s: %d bytes: %s", cmd.CommandPath(), len(line), line)
			}
		}
	}
}

// TestFlagsAreWhole names what a flag of any command was not given: a help that
// begins as the others do, a group in --help, and words for completion.
func TestFlagsAreWhole(t *testing.T) {
	// Flags whose values no list has.
	open := []string{
		"port", "local-port", "remote-port", "addr", "pid", "comm", "cgroup", "socket", "host", // names and numbers of what may come
		"duration", "count", "ring-size", "follow-size", "speed", "limit", "watch", "slack", "max-rate", "log-mode", "log-size", "log-keep", // amounts
		"metrics", "metrics-max", "peer-group",
		"idle", "intvl", "cnt", "user-timeout",
	}
	groups := []string{groupTrace, groupList, groupShow, groupSettings, groupSockets, groupChange, groupApply, groupAttach, groupOutput, groupMetrics, groupLimits}
	helps, found := regexp.MustCompile(`^([a-z]|TCP_[A-Z_]+[ :])`), map[string]bool{}
	root := newRootCommand()
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			at := cmd.CommandPath() + " --" + f.Name
			found[f.Name] = true
			if !helps.MatchString(f.Usage) || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s: the help %q is no clause that begins with a small letter or a setting's name", at, f.Usage)
			}
			if group := f.Annotations[groupKey]; len(group) != 1 || !slices.Contains(groups, group[0]) {
				t.Errorf("%s: is in no group of --help: %q", at, group)
			}
			if f.Value.Type() == "bool" {
				return
			}
			complete, _ := cmd.GetFlagCompletionFunc(f.Name)
			words, rest := complete(cmd, nil, "")
			if offers := len(words) > 0 || rest&cobra.ShellCompDirectiveNoFileComp == 0; offers == slices.Contains(open, f.Name) && f.Name != "container" && f.Name != "pod" {
				t.Errorf("%s: words for completion, %t, or none because the list of this test has it: want one of the two", at, offers)
			}
		})
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(root)
	for _, name := range open {
		if !found[name] {
			t.Errorf("--%s: there is no such flag any more", name)
		}
	}
	if len(found) < 30 {
		t.Errorf("%d flags: this test sees nothing", len(found))
	}
}
