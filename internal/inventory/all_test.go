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
	"katrace/internal/group"
	"katrace/test/fields"
)

// TestColumnsAreWhole names what a column of list was not given: of a socket's
// row, and of a group's by all keys.
func TestColumnsAreWhole(t *testing.T) {
	least := Socket{State: conn.State{TCPState: conn.TCPListen, Local: netip.MustParseAddrPort("10.0.0.1:443")}}
	t.Run("sockets", func(t *testing.T) {
		checkColumns(t, columns, &least, ColumnsHelp(), docs.ListSchema, Orders())
	})
	t.Run("groups", func(t *testing.T) {
		keys := group.AllKeys()
		l := List{Sockets: []Socket{least}, Ports: group.NewPorts()}
		checkColumns(t, groupColumns(keys), l.grouped(keys)[0], GroupColumnsHelp(), docs.GroupsSchema, GroupOrders(keys))
		for _, k := range keys {
			if c := &keyColumns[k]; c.title != strings.ToUpper(k.String()) || c.compare == nil {
				t.Errorf("%s: the title %q; want its name in capitals, and an order", k, c.title)
			}
		}
	})
}

func checkColumns[R any](t *testing.T, columns []column[R], least *R, help, schema string, orders []string) {
	titles := map[string]bool{}
	for i := range columns {
		c := &columns[i]
		if c.title == "" || c.title != strings.ToUpper(c.title) || titles[c.title] {
			t.Errorf("column %d: the title %q is none of its own in capitals", i, c.title)
		}
		titles[c.title] = true
		if c.help == "" || strings.HasSuffix(c.help, ".") || !strings.Contains(help, c.title) {
			t.Errorf("%s: --help does not explain it with a clause, but with %q", c.title, c.help)
		}
		if c.draw == nil {
			t.Errorf("%s: is not drawn", c.title)
		} else if len(c.draw(nil, least)) == 0 {
			t.Errorf("%s: draws nothing where next to nothing is known, not even -", c.title)
		}
		if !inSchema(t, schema, c.key) {
			t.Errorf("%s: %s has no key %q", c.title, schema, c.key)
		}
		if (c.name == "") != (c.compare == nil) {
			t.Errorf("%s: the name %q, which is for --sort, and an order, %t: want both or none", c.title, c.name, c.compare != nil)
		}
		if c.compare != nil && !slices.Contains(orders, c.name) {
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
		if !inSchema(t, docs.ListSchema, key) {
			t.Errorf("the schema of list -o json has no key %s", key)
		}
		if !bytes.Contains(page, []byte("`"+key+"`")) && !bytes.Contains(page, []byte("`"+key+".")) {
			t.Errorf("docs/events.md has no word on `%s`", key)
		}
	}
}

// inSchema says whether the schema has the key, "keepalive.idle_ms".
func inSchema(t *testing.T, name, key string) bool {
	t.Helper()
	text, err := docs.Text(name)
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
