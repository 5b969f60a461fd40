// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
)

// TestDeployKnowsItsMetrics names a metric, or a label's value, that a rule or the
// dashboard of deploy/prometheus asks for and katrace does not have.
func TestDeployKnowsItsMetrics(t *testing.T) {
	m := New(Options{ExactRTT: true, Suppressed: func() uint64 { return 0 }, LogFile: true,
		Labels: Labels{Owner: ByUnit, Max: 1, Peers: []PeerGroup{{"lab", netip.MustParsePrefix("10.0.0.0/8")}}}})
	m.Connections(events.Connections{})
	count := m.NewCount()
	count.Add(&inventory.Socket{State: conn.State{Has: inventory.HasOn}})
	m.Listed(count)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	has, values := map[string]bool{}, map[string]bool{}
	for _, f := range families {
		for _, suffix := range []string{"", "_bucket", "_count", "_sum"} {
			has[f.GetName()+suffix] = true
		}
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				values[l.GetName()+"="+l.GetValue()] = true
			}
		}
	}
	name, label := regexp.MustCompile(`(?:^|[^a-z0-9_:/."])(katrace_[a-z0-9_]+)`), regexp.MustCompile(`\b(by|class|upto|verdict)!?=[=~"\\]*"?([a-z0-9_|]+)`)
	found := 0
	for _, file := range []string{"katrace.rules.yml", "katrace.test.yml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join("../../deploy/prometheus", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range name.FindAllSubmatch(text, -1) {
			if found++; !has[string(match[1])] {
				t.Errorf("%s: there is no %s", file, match[1])
			}
		}
		for _, match := range label.FindAllSubmatch(text, -1) {
			for value := range strings.SplitSeq(string(match[2]), "|") {
				if !values[string(match[1])+"="+value] {
					t.Errorf("%s: no metric has %s=%q", file, match[1], value)
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d names found", found)
	}
}
