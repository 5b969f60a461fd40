// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"reflect"
	"testing"

	"katrace/test/fields"
)

// TestLastKeys: a State that differs from the one before in any field has its own keys.
func TestLastKeys(t *testing.T) {
	var last LastKeys
	check := func(what string, s *State) {
		t.Helper()
		for range 2 {
			if got, want := string(last.AppendKeys([]byte("{"), s)), string(s.AppendKeys([]byte("{"))); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
	}
	check("nothing", &State{})
	var paths int
	fields.Each(&State{}, func(string, reflect.Value) { paths++ })
	for i := range paths {
		var s State
		var changed string
		fields.Each(&s, func(_ string, f reflect.Value) { fields.Set(f, 1) })
		s.Has = HasUID
		check("all", &s)
		n := 0
		fields.Each(&s, func(path string, f reflect.Value) {
			if n++; n == i+1 {
				changed = path
				fields.Set(f, 2)
			}
		})
		check(changed, &s)
		s.Has ^= HasUID
		check(changed+" and HasUID", &s)
	}
}
