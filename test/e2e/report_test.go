// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/test/childtest"
)

// TestReport: a live report of a peer that falls silent and one that forgets the
// connection, ended before its --duration: what it holds until then is written.
func TestReport(t *testing.T) { unlessHidden(t, liveReport) }

func liveReport(t *testing.T) (wrong []string, lost events.Lost) {
	t.Helper()
	cases, err := lab.ByName("vanished", "forgotten")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conns := l.Conns()
	cmd := command("report", "-o", "json", "--duration", "1h", "--attach", string(anyBackend()),
		"--netns", fmt.Sprintf("%d,%d", conns[0].Netns, conns[1].Netns))
	var out bytes.Buffer
	said := &childtest.Buffer{}
	cmd.Stdout, cmd.Stderr = &out, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(t, 5*time.Minute, "katrace to attach", func() bool { return strings.Contains(said.String(), "attached by") })
	l.Begin()
	if _, err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	schema, err := docs.Schema(docs.ReportSchema)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	var r struct {
		Connections struct{ Seen, Died int }
		Deaths      struct{ Causes []struct{ Cause string } }
		Silences    struct{ Longest []struct{ Outcome string } }
		Hosts       []struct{ Stopped bool }
		Lost        struct{ Records uint64 }
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	causes := map[string]bool{}
	for _, c := range r.Deaths.Causes {
		causes[c.Cause] = true
	}
	if r.Connections.Seen < 2 || r.Connections.Died < 2 || !causes["keepalive_count"] || !causes["peer_forgot"] && !causes["peer_reset"] ||
		len(r.Silences.Longest) == 0 || r.Silences.Longest[0].Outcome != "died" || len(r.Hosts) != 1 || !r.Hosts[0].Stopped {
		wrong = append(wrong, out.String())
	}
	return wrong, events.Lost{Missed: r.Lost.Records}
}
