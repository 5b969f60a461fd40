// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"
)

// output is where events go: the value of --output.
type output string

// The outputs.
const (
	outputTUI  output = "tui"
	outputText output = "text"
	outputJSON output = "json"
	outputNone output = "none" // of the stream alone: only the log file and the metrics are written
)

func outputNames() []string {
	return []string{string(outputTUI), string(outputText), string(outputJSON)}
}

// needStdout refuses a standard output that was closed (>&-), where what is
// written would be gone. instead names a file that all is written to as well.
//
// Go's runtime opens /dev/null for reading and writing in place of a closed
// descriptor before main begins, so that no file gets its number. Nothing tells
// that from a /dev/null which was opened so on purpose.
func needStdout(instead string) error {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(os.Stdout.Fd(), unix.F_GETFL, 0)
	if instead != "" || err != nil || unix.Fstat(int(os.Stdout.Fd()), &st) != nil {
		return nil // what is wrong with it, writing will tell
	}
	if st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3) && flags&unix.O_ACCMODE == unix.O_RDWR {
		return errors.New("standard output is closed, what is written would be lost (if that is wanted: >/dev/null)")
	}
	return nil
}

// chooseOutput reads --output. Empty means the live view where stdout is a
// terminal that can show it, the text stream elsewhere.
func chooseOutput(o output) (output, error) {
	terminal := term.IsTerminal(os.Stdout.Fd())
	dumb := os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == ""
	switch {
	case o != "" && o != outputTUI:
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
	default:
		return o, nil
	}
}
