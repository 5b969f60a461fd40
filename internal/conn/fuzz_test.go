// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"katrace/test/hostile"
)

// FuzzAppendString: any string is written as JSON that reads as the string
// with what is not UTF-8 replaced.
func FuzzAppendString(f *testing.F) {
	for _, s := range hostile.Names {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := AppendString(nil, s)
		hostile.CheckPrinting(t, text)
		var got string
		if err := json.Unmarshal(text, &got); err != nil || got != string([]rune(s)) {
			t.Fatalf("%q: is written as %s, which reads %q, %v", s, text, got, err)
		}
	})
}

func FuzzAppendSafe(f *testing.F) {
	for _, s := range hostile.Names {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		safe := Safe(s)
		hostile.CheckPrinting(t, []byte(safe))
		if utf8.RuneCountInString(safe) != utf8.RuneCountInString(s) || Safe(safe) != safe {
			t.Fatalf("%q: %q has another length, or is not safe itself", s, safe)
		}
	})
}
