// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendString appends a string from outside as JSON: valid UTF-8 whatever it
// holds, and with all escaped that a terminal would act on or not show.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // where what is not yet appended begins
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && unicode.IsPrint(r) && r != utf8.RuneError { // which is escaped whichever it came of: what is read is written the same
			i += n
			continue
		}
		dst = append(dst, s[plain:i]...)
		i += n
		plain = i
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendEscaped(appendEscaped(dst, high), low)
		default:
			dst = appendEscaped(dst, r)
		}
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
