// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/test/fields"
)

// TestKindsAreWhole names what a kind of event was not given.
func TestKindsAreWhole(t *testing.T) {
	page := docsText(t, docs.EventsText)
	samples := map[Kind]Event{}
	for _, e := range everyKind() {
		samples[e.event.Kind] = e.event
	}
	// Those that neither --dead nor --silent leaves: no end, and no sign that the
	// peer does not answer.
	neither := []Kind{KindSuspended, KindResumed, KindProbed, KindEnabled, KindWindowProbe, KindTimer, KindClosed, KindSet, KindLost, KindStart, KindHeartbeat, KindStop, KindSuppressed}
	said := map[string]Kind{}
	for i, name := range KindNames() {
		k := Kind(i + 1)
		if _, there := samples[k]; !there {
			t.Errorf("%s: everyKind has no sample of it: the tests over it prove less than they say", name)
		}
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("%s: the table of events in docs/events.md does not explain it", name)
		}
		words := string(AppendWords(nil, &Event{Kind: k}))
		if words == "" {
			t.Errorf("%s: AppendWords has no words for it", name)
		} else if other, taken := said[words]; taken {
			t.Errorf("%s: is said in the words of %s, %q", name, other, words)
		}
		said[words] = k
		lists := 0
		for _, list := range [][]Kind{EndKinds, SilentKinds, neither} {
			if slices.Contains(list, k) {
				lists++
			}
		}
		if lists != 1 {
			t.Errorf("%s: is in %d of EndKinds, SilentKinds and, in this test, neither: want one", name, lists)
		}
	}
}

// TestSchemaHasAllWords: each enumeration's words are those of the schema.
func TestSchemaHasAllWords(t *testing.T) {
	list := schemaOf(t, docs.ListSchema)
	schema := schemaOf(t, docs.EventsSchema)
	for _, tt := range []struct {
		schema any
		key    string
		want   []string
	}{
		{schema, "event", KindNames()}, {schema, "verdict", verdictNames.All()}, {schema, "reason", reasonNames.All()}, {schema, "rst", rstNames.All()}, {schema, "exit", exitNames.All()},
		{schema, "family", words[conn.Family]()}, {schema, "state", conn.TCPStates()}, {schema, "held_by", words[conn.HeldBy]()},
		{list, "waits_for", words[conn.Waiting]()},
	} {
		var got []string
		for _, word := range property(tt.schema, tt.key).(map[string]any)["enum"].([]any) {
			got = append(got, word.(string))
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(tt.want))
		if !slices.Equal(got, want) {
			t.Errorf("the schema allows as %q %q, want %q", tt.key, got, want)
		}
	}
	for _, tt := range []struct {
		of   any
		want []string
	}{
		{property(schema, "not_known").(map[string]any)["items"], UnknownWords()},
		{property(schema, "connections").(map[string]any)["propertyNames"], append(verdictNames.All(), connectionsKey(0))},
	} {
		var got []string
		for _, word := range tt.of.(map[string]any)["enum"].([]any) {
			got = append(got, word.(string))
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(tt.want)); !slices.Equal(got, want) {
			t.Errorf("the schema allows %q, want %q", got, want)
		}
	}
	page := docsText(t, docs.EventsText)
	for _, word := range slices.Concat(exitNames.All(), UnknownWords(), verdictNames.All(), reasonNames.All(), rstNames.All(), words[conn.HeldBy]()) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("docs/events.md does not explain %q", word)
		}
	}
}

// words are those of an enumeration that has no list of them.
func words[T interface {
	~uint8
	String() string
}]() (all []string) {
	for v := T(1); v.String() != ""; v++ {
		all = append(all, v.String())
	}
	return all
}

// notInStream are the fields of an Event that no key of the stream holds by
// itself.
var notInStream = map[string]string{
	"CgroupID":         "only for looking the cgroup up",
	"Has":              "says which keys are there",
	"Keepalive.Unsure": "of listings alone, where \"set\" stands in place of \"inherited\" (TestJSON)",
}

// TestFieldsAreInTheStream names the field of Event that the stream does not
// hold, or not as it was, or that the schema or docs/events.md does not have.
func TestFieldsAreInTheStream(t *testing.T) {
	schema, list, page := schemaOf(t, docs.EventsSchema), schemaOf(t, docs.ListSchema), docsText(t, docs.EventsText)
	full := func(k Kind) (e Event) {
		fields.Each(&e, func(_ string, f reflect.Value) { fields.Set(f, 1) })
		e.Set.Before.Known, e.Set.After.Known = conn.AllFields, conn.AllFields
		e.Kind, e.Keepalive.Unsure, e.Has = k, 0, HasSeq|HasRTT|(conn.FirstOwnFact-1)
		return e
	}
	skip := map[string]bool{}
	fields.Each(new(Event), func(path string, _ reflect.Value) {
		skip[path] = true
		if notInStream[path] != "" {
			return
		}
		keys := map[string]bool{}
		for k := range Kind(len(KindNames())) {
			e := full(k + 1)
			before := flat(t, AppendJSON(nil, &e))
			var want any
			fields.Each(&e, func(p string, f reflect.Value) {
				if p == path {
					fields.Set(f, 2)
					want = f.Interface()
				}
			})
			line := AppendJSON(nil, &e)
			after := flat(t, line)
			changed := false
			for key, value := range after {
				if before[key] != value {
					keys[key], changed = true, true
				}
			}
			for key := range before { // one that is there only where it is true
				if _, kept := after[key]; !kept {
					keys[key], changed = true, true
				}
			}
			if !changed && len(before) == len(after) {
				continue // not on this kind
			}
			read, err := ParseJSON(line)
			if err != nil {
				t.Errorf("%s: %v: %s", path, err, line)
			}
			fields.Each(&read, func(p string, f reflect.Value) {
				if p == path && f.Interface() != want {
					t.Errorf("%s: is written as %v, and read as %v: %s", path, want, f.Interface(), line)
				}
			})
		}
		if len(keys) == 0 {
			t.Errorf("%s: no line of the stream holds it, and notInStream does not say why", path)
		}
		for key := range keys {
			if property(schema, key) == nil && property(list, key) == nil {
				t.Errorf("%s: the schema has no key %s", path, key)
			}
			parts := strings.Split(key, ".")
			if name := parts[len(parts)-1]; !strings.Contains(page, "`"+name+"`") {
				t.Errorf("%s: docs/events.md has no word on `%s`", path, name)
			}
		}
	})
	for path := range notInStream {
		if !skip[path] {
			t.Errorf("%s: there is no such field any more", path)
		}
	}
}

func docsText(t *testing.T, name string) string {
	t.Helper()
	text, err := docs.Text(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func schemaOf(t *testing.T, name string) (schema any) {
	t.Helper()
	if err := json.Unmarshal([]byte(docsText(t, name)), &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// property is a key's part of the schema, "local.port" in its own; nil: none.
func property(schema any, key string) any {
	root := schema
	for _, name := range strings.Split(key, ".") {
		object, _ := schema.(map[string]any)
		if ref, ok := object["$ref"].(string); ok {
			object, _ = root.(map[string]any)["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		if properties, ok := object["properties"].(map[string]any); ok {
			schema = properties[name]
		} else {
			schema = object["additionalProperties"] // lost.skipped
		}
		if schema == nil {
			return nil
		}
	}
	return schema
}

// flat is a line's keys, "local.port", with their values.
func flat(t *testing.T, line []byte) map[string]string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	all := map[string]string{}
	var walk func(at string, object map[string]any)
	walk = func(at string, object map[string]any) {
		for key, value := range object {
			if inner, ok := value.(map[string]any); ok {
				walk(at+key+".", inner)
			} else {
				all[at+key] = fmt.Sprint(value)
			}
		}
	}
	walk("", object)
	return all
}
