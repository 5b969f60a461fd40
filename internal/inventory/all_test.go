// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/test/fields"
)

// TestColumnsAreWhole names what a column of list was not given.
func TestColumnsAreWhole(t *testing.T) {
	titles := map[string]bool{}
	least := Socket{State: conn.State{TCPState: conn.TCPListen, Local: netip.MustParseAddrPort("10.0.0.1:443")}}
	for i := range columns {
		c := &columns[i]
		if c.title == "" || c.title != strings.ToUpper(c.title) || titles[c.title] {
			t.Errorf("column %d: the title %q is none of its own in capitals", i, c.title)
		}
		titles[c.title] = true
		if c.help == "" || strings.HasSuffix(c.help, ".") || !strings.Contains(ColumnsHelp(), c.title) {
			t.Errorf("%s: --help does not explain it with a clause, but with %q", c.title, c.help)
		}
		if c.draw == nil {
			t.Errorf("%s: is not drawn", c.title)
		} else if len(c.draw(nil, &least)) == 0 {
			t.Errorf("%s: draws nothing of a socket of which next to nothing is known, not even -", c.title)
		}
		if !inSchema(t, c.key) {
			t.Errorf("%s: the schema of list -o json has no key %q", c.title, c.key)
		}
		if (c.name == "") != (c.compare == nil) {
			t.Errorf("%s: the name %q, which is for --sort, and an order, %t: want both or none", c.title, c.name, c.compare != nil)
		}
		if c.compare != nil && !slices.Contains(Orders(), c.name) {
			t.Errorf("%s: --sort does not offer %q", c.title, c.name)
		}
	}
}

// notInList are the fields of a Socket that no key of the list holds by itself.
var notInList = map[string]string{
	"Host":       "a list is of this host",
	"CgroupID":   "only for looking the cgroup up",
	"Has":        "says which keys are there",
	"ProbesOut":  "what is left of it decides dies_in_ms",
	"SinceHeard": "the predictions' own, as part of unanswered",
	"Silent":     "for --silent, and the live view's verdict",
	"Seen":       "for the age of a live view's row: the list has one time",
}

// TestFieldsAreInTheList names the field of Socket that list -o json does not
// hold, or whose key the schema or docs/events.md does not have.
func TestFieldsAreInTheList(t *testing.T) {
	page, err := docs.Text(docs.EventsText)
	if err != nil {
		t.Fatal(err)
	}
	full := func() (s Socket) {
		fields.Each(&s, func(_ string, f reflect.Value) { fields.Set(f, 2) })
		s.Has = HasOn | HasProbesOut | (conn.FirstOwnFact - 1)
		s.Next, s.DiesIn, s.Keepalive.Unsure = time.Second, time.Minute, 0
		return s
	}
	was := full()
	before := was.AppendJSON(nil, time.Unix(0, 0))
	there := map[string]bool{}
	fields.Each(new(Socket), func(path string, _ reflect.Value) {
		there[path] = true
		if notInList[path] != "" {
			return
		}
		s := full()
		fields.Each(&s, func(p string, f reflect.Value) {
			if p == path {
				fields.Set(f, 3)
			}
		})
		after := s.AppendJSON(nil, time.Unix(0, 0))
		if bytes.Equal(before, after) {
			t.Errorf("%s: no line of the list holds it, and notInList does not say why", path)
		}
	})
	for path := range notInList {
		if !there[path] {
			t.Errorf("%s: there is no such field any more", path)
		}
	}
	var line map[string]any
	if err := json.Unmarshal(before, &line); err != nil {
		t.Fatalf("%v: %s", err, before)
	}
	for key := range line {
		if !inSchema(t, key) {
			t.Errorf("the schema of list -o json has no key %s", key)
		}
		if !bytes.Contains(page, []byte("`"+key+"`")) && !bytes.Contains(page, []byte("`"+key+".")) {
			t.Errorf("docs/events.md has no word on `%s`", key)
		}
	}
}

// inSchema says whether the list's schema has the key, "keepalive.idle_ms".
func inSchema(t *testing.T, key string) bool {
	t.Helper()
	text, err := docs.Text(docs.ListSchema)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(key, ".") {
		properties, _ := schema["properties"].(map[string]any)
		schema, _ = properties[name].(map[string]any)
	}
	return schema != nil
}
