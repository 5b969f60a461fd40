// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"unicode"
	"unicode/utf8"
)

// AppendSafe appends s as it can be shown on a terminal: what is not a
// printing character (control characters and with them escape sequences, marks
// that turn the writing direction, invisible ones, invalid UTF-8) becomes '?'.
func AppendSafe(dst []byte, s string) []byte {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// Safe is AppendSafe for strings.
func Safe(s string) string { return string(AppendSafe(nil, s)) }
