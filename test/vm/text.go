// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"io"
	"strings"
)

// writers writes to all of them, whatever one of them says.
type writers []io.Writer

func (ws writers) Write(p []byte) (int, error) {
	for _, w := range ws {
		_, _ = w.Write(p)
	}
	return len(p), nil
}

// lastLines returns the last n lines of text, without the line feed at the end.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
