// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

func TestSanitize(t *testing.T) {
	for _, tt := range []struct{ in, want, ascii string }{
		{"postgres", "postgres", "postgres"},
		{"a\x1b[31mb", "a�[31mb", "a?[31mb"},
		{"a\nb\r\tc", "a�b��c", "a?b??c"},
		{"\x9b31m\xff", "�31m�", "?31m?"},
		{"a\u202eb\u2066c", "a�b�c", "a?b?c"},
		{"a\u200bb\u00ad\ufeff", "a�b��", "a?b??"},
		{"e\u0301", "e�", "e?"},
		{"größe", "größe", "gr??e"},
		{"日本", "日本", "??"},
		{"\U0001f1e9\U0001f1ea", "��", "??"},
		{"\u2028\u0085", "��", "??"},
	} {
		if got := sanitize(tt.in, false); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
		if got := sanitize(tt.in, true); got != tt.ascii {
			t.Errorf("%q in ASCII: %q, want %q", tt.in, got, tt.ascii)
		}
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"postgres", "\x1b]52;c;aGk=\a", "\u202e\u200d", "e\u0301", "👩‍👩‍👧", "각", "\xff\xfe", "🇩🇪", "\u0e33"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, ascii bool) {
		got := sanitize(s, ascii)
		if !utf8.ValidString(got) {
			t.Fatalf("%q: not UTF-8: %q", s, got)
		}
		if again := sanitize(got, ascii); again != got && !ascii {
			// The replacement sign stands for itself.
			t.Fatalf("%q: not stable: %q, %q", s, got, again)
		}
		sum := 0
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || ascii && r >= 0x7f {
				t.Fatalf("%q: %q has %U", s, got, r)
			}
			sum += ansi.StringWidth(string(r))
		}
		if w := ansi.StringWidth(got); w != sum || w != ansi.StringWidthWc(got) {
			t.Fatalf("%q: %q is %d wide, %d one by one, %d by wcwidth", s, got, w, sum, ansi.StringWidthWc(got))
		}
		if ansi.Strip(got) != got {
			t.Fatalf("%q: %q holds a sequence", s, got)
		}
	})
}
