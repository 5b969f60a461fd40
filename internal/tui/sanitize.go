// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// sanitize makes a string from outside (a process name, a cgroup) safe to draw
// on one line of a terminal: every character that would move the cursor,
// change a mode, turn the direction of writing, take no room, or join with its
// neighbour is shown as a replacement sign, and so is invalid UTF-8. What is
// left takes as many cells as its characters take one by one. With ascii,
// everything beyond ASCII is replaced too.
func sanitize(s string, ascii bool) string {
	if plain(s) {
		return s
	}
	sign := string(utf8.RuneError)
	if ascii {
		sign = "?"
	}
	var b strings.Builder
	for _, r := range s { // invalid bytes come as utf8.RuneError
		switch {
		case r >= 0x20 && r < 0x7f:
			b.WriteRune(r)
		case ascii || !drawable(r):
			b.WriteString(sign)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain tells whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// joining are characters that are printable and yet merge with a neighbour
// into one sign: Hangul medials and finals, regional indicators, skin tones.
var joining = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1100, Hi: 0x11ff, Stride: 1}, {Lo: 0xa960, Hi: 0xa97f, Stride: 1}, {Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f1e6, Hi: 0x1f1ff, Stride: 1}, {Lo: 0x1f3fb, Hi: 0x1f3ff, Stride: 1}},
}

// drawable tells whether a character beyond ASCII is a sign of its own.
func drawable(r rune) bool {
	if r == utf8.RuneError || !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || unicode.Is(joining, r) {
		return false
	}
	sign := string(r)
	w := ansi.StringWidth(sign)
	// Some letters (Thai and Lao AM) are drawn into the cell before them.
	return (w == 1 || w == 2) && w == ansi.StringWidthWc(sign) &&
		ansi.StringWidth("0"+sign) == 1+w && ansi.StringWidth(sign+"0") == w+1
}
