// SPDX-License-Identifier: BSD-2-Clause

// Command grafana reads dashboards as Grafana's own types, and refuses keys and values
// that these do not have. It is a module of its own, because it is needed for nothing
// else.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	for _, name := range os.Args[1:] {
		if err := check(name); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func check(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var d dashboard.Dashboard
	if err := d.UnmarshalJSONStrict(text); err != nil && err.Error() != "" { // a list of errors, which may be empty
		return err
	}
	if len(d.Panels) == 0 {
		return errors.New("no panels")
	}
	return nil
}
