// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// The generator is here and not in the program, which needs no Markdown parser
// and often runs as root.
var manDir = flag.String("man", "", "write the man pages into this directory (make man)")

// TestManPages makes the man pages, from the definitions that --help is made
// from: each command has one, which explains it and each of its flags.
func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "8", Source: "katrace", Manual: "System Manager's Manual"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	pages := 0
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		pages++
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
		page, err := os.ReadFile(filepath.Join(dir, name+".8"))
		if err != nil {
			t.Fatal(err)
		}
		if cmd.Short == "" || !strings.Contains(string(page), plainRoff(name+" - "+cmd.Short)) {
			t.Errorf("%s: the page lacks %q", name, cmd.Short)
		}
		if cmd.Long == "" && cmd.Name() != "version" {
			t.Errorf("%s: no description", name)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || !strings.Contains(string(page), `\fB--`+f.Name+`\fP`) || !strings.Contains(string(page), plainRoff(f.Usage)) {
				t.Errorf("%s: --%s (%q) is not explained", name, f.Name, f.Usage)
			}
		})
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				check(sub)
			}
		}
	}
	check(root)
	if pages < 8 {
		t.Errorf("%d pages: this test sees nothing", pages)
	}
}

// plainRoff is how text without markup stands in a page.
func plainRoff(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }
