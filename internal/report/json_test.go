// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
	"katrace/test/hostile"
)

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) { return docs.Schema(docs.ReportSchema) })

func validate(t *testing.T, text []byte) {
	t.Helper()
	schema, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestJSON: a report with something of each kind is what the schema describes, and
// no name in it acts on a terminal.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := nightReport().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	validate(t, b.Bytes())
	hostile.CheckPrinting(t, bytes.ReplaceAll(b.Bytes(), []byte("\n"), nil))
	golden(t, "night.json", b.Bytes())
}

// TestKeysAreExplained: each key of the JSON is in the schema and on the page.
func TestKeysAreExplained(t *testing.T) {
	page, err := docs.Text(docs.ReportText)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := docs.Text(docs.ReportSchema)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || of.Implements(reflect.TypeFor[json.Marshaler]()) {
			return
		}
		for i := range of.NumField() {
			key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if key == "" {
				continue
			}
			found++
			if !bytes.Contains(schema, []byte(`"`+key+`":`)) {
				t.Errorf("the schema has no %q (%s.%s)", key, of.Name(), of.Field(i).Name)
			}
			if !bytes.Contains(page, []byte("`"+key+"`")) {
				t.Errorf("%s does not explain %q (%s.%s)", docs.ReportText, key, of.Name(), of.Field(i).Name)
			}
			walk(of.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[Report]())
	if found < 60 {
		t.Errorf("%d keys: does this test still see them?", found)
	}
}
