// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
)

// checkSchema holds real lines against docs/events.schema.json.
func checkSchema(t *testing.T, lines [][]byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.EventsSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("events.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, line := range lines {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds[fmt.Sprint(v["event"])] = true
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s\n%v", line, err)
		}
	}
	for _, kind := range []string{"probe", "answer", "reset", "peer_reset", "timer", "closed"} {
		if !kinds[kind] {
			t.Errorf("no %s event among the %d lines: they prove nothing", kind, len(lines))
		}
	}
}
