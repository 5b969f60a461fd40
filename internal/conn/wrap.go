// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Wrap wraps at spaces, and not behind a hyphen, so that a command's flags stay whole.
func Wrap(s string, width int) string {
	const hyphen = "\u2010" // a letter to ansi.Wrap, and as wide
	return strings.ReplaceAll(ansi.Wrap(strings.ReplaceAll(s, "-", hyphen), width, ""), hyphen, "-")
}
