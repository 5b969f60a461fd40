// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// setFilters are the filters of a list with --idle-limit, for a command line of
// katrace set that means the same sockets; "": there is none, because a filter is
// the list's alone, or because the list is shown again and again.
func (o *listOptions) setFilters(flags *pflag.FlagSet) string {
	if o.idleLimit.Forgets == 0 || o.off || o.silent || o.watch > 0 || !slices.Contains(o.inventory.States, conn.TCPEstablished) {
		return ""
	}
	words := []string{"--idle-limit", flags.Lookup("idle-limit").Value.String()}
	if flags.Changed("all-netns") {
		words = append(words, "--all-netns")
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if _, filters := f.Annotations[filterKey]; !filters || !f.Changed {
			return
		}
		switch list, ok := f.Value.(lister); {
		case ok:
			words = append(words, "--"+f.Name, conn.ShellWord(conn.FlagWords(list.given())))
		case f.Value.String() == "true":
			words = append(words, "--"+f.Name)
		}
	})
	return strings.Join(words, " ")
}

// setCommand is the whole command line.
func (o *listOptions) setCommand(sockets []inventory.Socket) string {
	var widest conn.Settings
	for i := range sockets {
		widest.Interval = max(widest.Interval, sockets[i].Keepalive.Interval)
	}
	return "katrace set " + o.remedy + " --on " + o.idleLimit.InTimeFlags(widest, o.hz)
}
