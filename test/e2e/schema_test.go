// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"katrace/docs"
)

// checkSchema holds real lines against docs/events.schema.json.
func checkSchema(t *testing.T, lines [][]byte) {
	t.Helper()
	schema, err := docs.Schema(docs.EventsSchema)
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
