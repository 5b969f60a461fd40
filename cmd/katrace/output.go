// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"

	"github.com/charmbracelet/x/term"
)

// output is where events go: the value of --output.
type output string

// The outputs.
const (
	outputTUI  output = "tui"
	outputText output = "text"
	outputJSON output = "json"
)

// chooseOutput reads --output. Empty means the live view where stdout is a
// terminal that can show it, the text stream elsewhere.
func chooseOutput(s string) (output, error) {
	terminal := term.IsTerminal(os.Stdout.Fd())
	dumb := os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == ""
	switch o := output(s); {
	case o == outputText || o == outputJSON:
		return o, nil
	case o == "" && terminal && dumb:
		fmt.Fprintf(os.Stderr, "katrace: TERM=%q cannot show the live view: text instead\n", os.Getenv("TERM"))
		return outputText, nil
	case o == "" && !terminal:
		return outputText, nil
	case o == "":
		return outputTUI, nil
	case o == outputTUI && !terminal:
		return o, usagef("--output tui: stdout is not a terminal (try --output text)")
	case o == outputTUI && dumb:
		return o, usagef("--output tui: TERM=%q cannot show it (try --output text)", os.Getenv("TERM"))
	case o == outputTUI:
		return o, nil
	}
	return "", usagef("--output %q: want tui, text or json", s)
}
