// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"katrace/internal/owner"
)

// complete makes the shell complete a flag's value from these words; in a list,
// the part behind the last comma.
func complete(cmd *cobra.Command, flag string, words ...string) {
	completeBy(cmd, flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		_, list := cmd.Flag(flag).Value.(lister)
		comma := strings.LastIndexByte(typed, ',')
		if !list || comma < 0 {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		given := strings.Split(typed[:comma], ",")
		var offers []string
		for _, word := range words {
			if !slices.Contains(given, word) {
				offers = append(offers, typed[:comma+1]+word)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	})
}

// netnsOffers offers the names of ip netns, and files where there are none: a
// namespace can also be named by a path.
func netnsOffers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	entries, _ := os.ReadDir(netnsDir) // not there before the first ip netns add
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, cobra.ShellCompDirectiveDefault
}

// containerIDs offers the containers that processes are in now.
func containerIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return owner.Containers(), cobra.ShellCompDirectiveNoFileComp
}

// files leaves it to the shell to offer files, for one argument.
func files(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}

func completeBy(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	// Fails only for a flag that is not there.
	_ = cmd.RegisterFlagCompletionFunc(flag, f)
}

// offerNoFiles keeps the shell from offering files where none is wanted: that
// is everywhere but where something else is said above.
func offerNoFiles(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok {
			completeBy(cmd, f.Name, cobra.NoFileCompletions)
		}
	})
	for _, sub := range cmd.Commands() {
		offerNoFiles(sub)
	}
}
