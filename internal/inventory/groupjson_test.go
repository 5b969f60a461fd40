// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bytes"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
	"katrace/internal/group"
)

// TestGroupsJSON: each line is as docs/groups.schema.json has it.
func TestGroupsJSON(t *testing.T) {
	const head = `{"v":1,"time":"2026-11-22T01:02:03.000000000Z","grouped_by":`
	l := crowd()
	for _, tt := range []struct{ by, want string }{
		{"remote,service", head + `["remote","service"],"remote":{"addr":"10.0.0.9"},"service":{"port":5432,"side":"local"},"sockets":2,"on":2,"off":0,"unanswered":2,"silent":1,"suspended":0,"next_death_ms":20000,"settings":[{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"sockets":2}]}`},
		{"process", head + `["process"],"process":{"comm":"postgres"},"sockets":3,"on":3,"off":0,"unanswered":2,"silent":1,"suspended":0,"next_death_ms":20000,"settings":[{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"sockets":2},{"idle_ms":7200000,"intvl_ms":75000,"cnt":9,"user_timeout_ms":30000,"sockets":1}]}`},
		{"container,netns", head + `["container","netns"],"netns":4026531840,"sockets":3,"on":3,"off":0,"unanswered":2,"silent":1,"suspended":0,"next_death_ms":20000,"settings":[{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"sockets":2},{"idle_ms":7200000,"intvl_ms":75000,"cnt":9,"user_timeout_ms":30000,"sockets":1}]}`},
		{"settings", head + `["settings"],"sockets":2,"on":2,"off":0,"unanswered":2,"silent":1,"suspended":0,"next_death_ms":20000,"settings":[{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"sockets":2}]}`},
	} {
		if got := string(l.Groups(keysOf(t, tt.by), Worst).AppendJSON(nil, 0)); got != tt.want {
			t.Errorf("--by %s: got  %s\nwant %s", tt.by, got, tt.want)
		}
	}
	line := string(l.Groups(group.AllKeys(), "pod").AppendJSON(nil, 0))
	for _, want := range []string{`"process":{"pid":900,"comm":"evil\u001b[2Jx"},"container":"3f2a9c0d1b4e5f60","pod":"0b9e5c1a-`, `"off":1,"unanswered":0,"silent":0,"suspended":0,"settings":[]}`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s: want %s", line, want)
		}
	}
	schema, err := docs.Schema(docs.GroupsSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range group.KeyNames() {
		for _, by := range []string{name, strings.Join(group.KeyNames(), ",")} {
			all := l.Groups(keysOf(t, by), Worst)
			for i := range all.Len() {
				checkLine(t, schema, all.AppendJSON(nil, i))
			}
		}
	}
}

// TestGroupKeysExplained: docs/events.md explains each key of the groups' schema.
func TestGroupKeysExplained(t *testing.T) {
	schema, err := docs.Schema(docs.GroupsSchema)
	if err != nil {
		t.Fatal(err)
	}
	page, err := docs.Text(docs.EventsText)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Groups of the list\n")
	if !found || len(schema.Properties) < 10 {
		t.Fatalf("%d keys; the page's section is there: %t", len(schema.Properties), found)
	}
	for key := range schema.Properties {
		if key != "v" && key != "time" && !strings.Contains(section, "`"+key+"`") {
			t.Errorf("%q is not explained", key)
		}
	}
}

// checkLine holds a line against a schema, which knows each of its keys.
func checkLine(t *testing.T, schema *jsonschema.Schema, line []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	for key := range v.(map[string]any) {
		if schema.Properties[key] == nil {
			t.Errorf("%s: the schema does not know %q", line, key)
		}
	}
}
