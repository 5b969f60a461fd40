// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"reflect"
	"testing"

	"katrace/test/fields"
)

// TestMergeTakesAll names the field of State that Merge does not take over, and
// the one that it lets go of though nothing newer is known.
func TestMergeTakesAll(t *testing.T) {
	kept := map[string]string{
		"Host": "identifies the connection", "Netns": "the same", "Local": "the same", "Remote": "the same",
		"Has": "the facts of both",
	}
	full := func(n int) (s State) {
		fields.Each(&s, func(_ string, f reflect.Value) { fields.Set(f, n) })
		s.Has = stateFacts
		return s
	}
	old, newer := full(1), full(2)
	merged, left := old, old
	merged.Merge(&newer)
	left.Merge(&State{})
	value := func(s *State, at string) (v any) {
		fields.Each(s, func(path string, f reflect.Value) {
			if path == at {
				v = f.Interface()
			}
		})
		return v
	}
	fields.Each(&newer, func(path string, f reflect.Value) {
		if got := value(&merged, path); kept[path] == "" && got != f.Interface() {
			t.Errorf("%s: Merge leaves it at %v, where %v is newer", path, got, f.Interface())
		}
		if got, was := value(&left, path), value(&old, path); got != was {
			t.Errorf("%s: was %v, and is %v after a State that knows nothing", path, was, got)
		}
		delete(kept, path)
	})
	for path := range kept {
		t.Errorf("%s: there is no such field any more", path)
	}
}
