// SPDX-License-Identifier: BSD-2-Clause

// Command docsoutput replaces the program output in README.md and docs/ by what
// the program prints today. It changes the fenced blocks that one of these
// comments stands before:
//
//	<!-- output: COMMAND -->           what COMMAND prints
//	<!-- output -->                    what the block's own lines "$ COMMAND" print
//	<!-- output hz=250: COMMAND -->    only on a kernel with 250 ticks a second
//	<!-- demo KERNEL: CASE -->         the events of katrace demo --case CASE in a guest
//	<!-- demo KERNEL: CASE | COMMAND -->
//
// A first line "$ …" stays. Commands run in a shell in the top folder, with
// katrace on the PATH. What a guest prints differs a little each time, so these
// blocks are made with -guest only.
//
//	go run ./scripts/docsoutput -katrace bin/katrace [-guest] README.md docs/*.md
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	katrace := flag.String("katrace", "bin/katrace", "the program")
	guest := flag.Bool("guest", false, "also make the blocks that come from guests")
	flag.Parse()
	if err := run(*katrace, *guest, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "docsoutput:", err)
		os.Exit(1)
	}
}

func run(katrace string, guest bool, files []string) error {
	texts := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		texts[file] = text
	}
	m, err := newMaker(katrace, ".")
	if err != nil {
		return err
	}
	if guest {
		if err := m.playDemos(texts); err != nil {
			return err
		}
	}
	for _, file := range files {
		made, err := m.remake(texts[file])
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.ToSlash(file), err)
		}
		if bytes.Equal(made, texts[file]) {
			continue
		}
		if err := os.WriteFile(file, made, 0o644); err != nil {
			return err
		}
		fmt.Println("changed:", file)
	}
	return nil
}
