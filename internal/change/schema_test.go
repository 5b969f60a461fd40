// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// TestSchema: what is said of real sockets, by every outcome, is as
// docs/set.schema.json has it, which names no outcome and no setting that there
// is not.
func TestSchema(t *testing.T) {
	schema, err := docs.Schema(docs.SetSchema)
	must(t, err)
	closed, changed, queued := connect(t), connect(t), stage(t, unix.IPPROTO_TCP, false)
	sockets := append(list(t, inventory.Auto, closed, changed), queue(t, queued)...)
	must(t, unix.Close(closed.ours))
	closed.ours = -1
	seen := map[Outcome]bool{}
	for _, apply := range []bool{false, true, true} {
		r := request(t, minute).relist(t, closed, changed)
		r.Apply = apply
		results, err := r.Do(t.Context(), sockets)
		must(t, err)
		for _, res := range results {
			seen[res.Outcome] = true
			check(t, schema, res)
		}
	}
	for o := AsWanted; o <= Failed; o++ {
		if !seen[o] {
			t.Errorf("nothing came to %s: this test sees too little", o)
		}
	}
	timer := &Result{Socket: &one(t, changed)[0], Before: minute, After: minute, Timer: &Rearming{Was: time.Hour, Next: time.Minute}, Outcome: Changed}
	check(t, schema, timer)
	full := timer
	full.Subflows, full.Sourced, full.Changes = 2, conn.SettingIdle, minute.Known
	full.Outcome, full.Reason = Failed, "x"
	line := check(t, schema, full)
	for key := range schema.Properties {
		optional := []string{"remote", "process", "holders", "held_by", "module", "uid", "cgroup", "container", "container_name", "pod", "pod_namespace", "pod_name", "workload", "inode"}
		if _, there := line[key]; !there && !slices.Contains(optional, key) {
			t.Errorf("the schema has %q, which is never written", key)
		}
	}
	names := schema.Properties["result"].Enum.Values
	if len(names) != len(Outcomes()) {
		t.Errorf("the schema has the results %v, there are %v", names, Outcomes())
	}
	page, err := docs.Text(docs.SetText)
	must(t, err)
	for key := range schema.Properties {
		if schema.Properties[key].Ref == nil && key != "v" && !bytes.Contains(page, []byte("`"+key+"`")) {
			t.Errorf("docs/set.md has no word on `%s`", key)
		}
	}
	for _, name := range Outcomes() {
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("docs/set.md has no word on `%s`", name)
		}
	}
}

func check(t *testing.T, schema *jsonschema.Schema, r *Result) map[string]any {
	t.Helper()
	text := r.AppendJSON(nil, time.Now())
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s\n%v", text, err)
	}
	return v.(map[string]any)
}
