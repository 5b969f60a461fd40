// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"katrace/internal/events"
)

// version is set by the linker, to what scripts/version prints.
var version = ""

// build is what a binary was made of: `version -o json`. Its keys stay, as the
// stream's do.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // the commit, where Go knows it
	Stream   int    `json:"stream"`             // the `v` of the events
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersionCommand() *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := build{versionString(), revision(), events.SchemaVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH}
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(b)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "katrace %s %s/%s %s\n", b.Version, b.OS, b.Arch, b.Go)
			return err
		},
	}
	addFlags(cmd, groupOutput, outputFlag(&output, "", "text", "json"))
	return cmd
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// revision is the commit that katrace was built from, where Go knows it.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}
