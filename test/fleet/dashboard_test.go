// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A dashboard is what Grafana needs to know of it.
type dashboard struct {
	Panels []panel
}

type panel struct {
	Type, Title string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct {
		Defaults struct {
			Unit   string
			Custom struct{ Stacking struct{ Mode string } }
		}
	}
}

func readDashboard(t testing.TB) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(readFile(t, deploy(t, "prometheus/dashboard.json"))), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// expression is a panel's, with Grafana's variables as they would be.
func expression(text string, every, shown time.Duration) string {
	return strings.NewReplacer("$job", "katrace", "$instance", ".+", "$__rate_interval", (4 * every).String(), "$__range", shown.String()).Replace(text)
}

// withoutTracepoint are the panels, or targets, that have no data here, and why.
var withoutTracepoint = map[string]string{
	"katrace_connections_unreachable_total": "the tracepoint backend sees neither ICMP errors nor send errors",
	"katrace_icmp_errors_total":             "the tracepoint backend sees no ICMP errors",
	"ALERTS":                                "nothing has to be wrong for so long",
}

// TestDashboard: a real Prometheus scrapes katrace while the demo runs, promtool has
// nothing against what it scrapes, and every expression of the dashboard and of the
// rules has an answer.
func TestDashboard(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("the demo needs root")
	}
	output(t, "go", "-C", "../grafana", "run", ".", deploy(t, "prometheus/dashboard.json"))
	address := "127.0.0.1:" + freePort(t)
	k := run(t, *program, "-o", "none", "--attach", "tracepoint", "--metrics", address)
	waitFor(t, time.Minute, "katrace to list the sockets", func() bool {
		text, err := get("http://"+address+"/metrics", nil)
		return err == nil && strings.Contains(string(text), "\nkatrace_listing_timestamp_seconds ")
	})
	const every = time.Second
	p := startPrometheus(t, every, []target{{Targets: []string{address}, Labels: map[string]string{"instance": "here"}}})
	waitFor(t, time.Minute, "the first scrape", func() bool { return p.number(t, "sum(katrace_probes_total)") >= 0 && p.number(t, "sum(up)") == 1 })
	if text, err := exec.Command(*program, "demo", "-o", "json").CombinedOutput(); err != nil {
		t.Logf("the demo: %v: %.2000s", err, text) // it is not this test's to judge
	}
	waitFor(t, time.Minute, "ends to be scraped", func() bool { return p.number(t, "sum(katrace_ended_total)") > 0 })

	for _, panel := range readDashboard(t).Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s: asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			expr := expression(target.Expr, every, 5*time.Minute)
			for what, ask := range map[string]func() ([]sample, error){
				"now":   func() ([]sample, error) { return p.query(expr) },
				"graph": func() ([]sample, error) { return p.queryRange(expr, time.Now().Add(-2*time.Minute), time.Now(), every) },
			} {
				all, err := ask()
				if err != nil {
					t.Errorf("%s: %s: %v", panel.Title, expr, err)
				} else if wrong := judge(all, expr); wrong != "" {
					t.Errorf("%s, %s: %s: %s", panel.Title, what, wrong, expr)
				}
			}
		}
	}
	checkRules(t, p)
	checkMetrics(t, "http://"+address+"/metrics")
	select {
	case <-k.done:
		t.Error("katrace ended")
	default:
	}
}

func judge(all []sample, expr string) string {
	for name, why := range withoutTracepoint {
		if !strings.Contains(expr, name) {
			continue
		}
		if len(all) > 0 && name != "ALERTS" && !strings.Contains(expr, " or ") {
			return "has data, although " + why
		}
		return ""
	}
	if len(all) == 0 {
		return "no data"
	}
	return ""
}

// checkRules names a rule that Prometheus could not evaluate.
func checkRules(t *testing.T, p *prometheus) {
	t.Helper()
	text, err := get(p.address+"/api/v1/rules", nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if n++; r.Health != "ok" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if n == 0 {
		t.Error("no rules")
	}
}

// checkMetrics lets promtool look at a scrape.
func checkMetrics(t *testing.T, address string) {
	t.Helper()
	text, err := get(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(string(text))
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool check metrics: %v: %s", err, said)
	}
	series := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if line != "" && line[0] != '#' {
			series++
		}
	}
	t.Logf("a scrape has %d series and %d bytes", series, len(text))
}
