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

// TestMergeNames: a name is its own container's or pod's, and none that is not told is
// another's.
func TestMergeNames(t *testing.T) {
	s := State{Owner: Owner{Container: "a", ContainerName: "web", Pod: "1", PodNamespace: "shop", PodName: "web-0"}}
	s.Merge(&State{Owner: Owner{Container: "a", Pod: "1"}})
	if s.ContainerName != "web" || s.PodNamespace != "shop" || s.PodName != "web-0" {
		t.Errorf("the same: %+v", s.Owner)
	}
	s.Merge(&State{Owner: Owner{Container: "b", Pod: "2"}})
	if want := (Owner{Container: "b", Pod: "2"}); s.Owner != want {
		t.Errorf("others: %+v", s.Owner)
	}
}
