// SPDX-License-Identifier: BSD-2-Clause

// Package hostile is for tests: names that try to do something to a terminal or
// to a parser, and what no output may hold.
package hostile

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

// Names are names that a process, a cgroup or a recording may have.
var Names = []string{
	"\x1b[2J\x1b]0;pwned\x07", "\"},{\"v\":2", `\u0000\`, "a\nb\r\tc", "\x00", "\xff\xfe\xc0\x80", "\xed\xa0\x80",
	"\u009b31m", "\u202egnp.exe", "\u200bzero\ufeff", "\u2028\u2029", "e\u0301", "日本語", "\U0001f600", "\U000e0041", "\x7f", "\ufffd",
}

// CheckPrinting fails the test if the text is not UTF-8, or holds what a terminal
// would act on, would not show, or would let change the order of the rest.
func CheckPrinting(t testing.TB, text []byte) {
	t.Helper()
	if !utf8.Valid(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for _, r := range string(text) {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs, unicode.Bidi_Control) {
			t.Errorf("%U in %q", r, text)
			return
		}
	}
}
