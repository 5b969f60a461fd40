// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRules: the rules are rules, and their unit tests pass: each alert fires on its
// incident and not on ordinary traffic.
func TestRules(t *testing.T) {
	output(t, "promtool", "check", "rules", deploy(t, "prometheus/katrace.rules.yml"))
	output(t, "promtool", "test", "rules", deploy(t, "prometheus/katrace.test.yml"))
	output(t, "promtool", "check", "config", "--syntax-only", deploy(t, "prometheus/prometheus.yml"))
}

// TestAlertsAreTested names an alert that no unit test lets fire.
func TestAlertsAreTested(t *testing.T) {
	rules, tests := readFile(t, deploy(t, "prometheus/katrace.rules.yml")), readFile(t, deploy(t, "prometheus/katrace.test.yml"))
	n := 0
	for line := range strings.SplitSeq(rules, "\n") {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "- alert: ")
		if !ok {
			continue
		}
		n++
		if !strings.Contains(tests, "alertname: "+name+"\n        exp_alerts:") {
			t.Errorf("%s: no test lets it fire", name)
		}
		if !strings.Contains(tests, ", alertname: "+name+"}") {
			t.Errorf("%s: no test wants it quiet", name)
		}
	}
	if n != 9 {
		t.Errorf("%d alerts, want 9", n)
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A prometheus runs with katrace's rules.
type prometheus struct {
	*daemon
	address string
}

// startPrometheus scrapes the targets, so often.
func startPrometheus(t testing.TB, every time.Duration, targets []target) *prometheus {
	t.Helper()
	dir := t.TempDir()
	file := writeJSON(t, filepath.Join(dir, "targets.json"), targets)
	config := writeJSON(t, filepath.Join(dir, "prometheus.yml"), map[string]any{
		"global":         map[string]any{"scrape_interval": every.String(), "scrape_timeout": every.String(), "evaluation_interval": every.String()},
		"rule_files":     []string{deploy(t, "prometheus/katrace.rules.yml")},
		"scrape_configs": []any{map[string]any{"job_name": "katrace", "file_sd_configs": []any{map[string]any{"files": []string{file}}}, "sample_limit": 1500}},
	})
	p := &prometheus{address: "http://127.0.0.1:" + freePort(t)}
	p.daemon = run(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(p.address, "http://"), "--log.level=warn")
	waitFor(t, time.Minute, "Prometheus to be ready", answers(p.address+"/-/ready"))
	return p
}

// A sample is one of an instant vector, or all of a series of a range.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  point             `json:"value"`
	Values []point           `json:"values"`
}

// A point is a time and a value, as Prometheus writes them.
type point struct {
	at    float64
	value float64
}

func (p *point) UnmarshalJSON(text []byte) error {
	var pair [2]any
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	at, _ := pair[0].(float64)
	word, _ := pair[1].(string)
	value, err := strconv.ParseFloat(word, 64)
	*p = point{at, value}
	return err
}

// query evaluates an expression now.
func (p *prometheus) query(expr string) ([]sample, error) {
	return p.ask("/api/v1/query", url.Values{"query": {expr}})
}

// queryRange evaluates it for each step of a while.
func (p *prometheus) queryRange(expr string, from, to time.Time, step time.Duration) ([]sample, error) {
	return p.ask("/api/v1/query_range", url.Values{"query": {expr}, "start": {seconds(from)}, "end": {seconds(to)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)}})
}

func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

func (p *prometheus) ask(path string, q url.Values) ([]sample, error) {
	text, err := get(p.address+path, q)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string `json:"status"`
		Data   struct {
			Result json.RawMessage `json:"result"`
			Type   string          `json:"resultType"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	if answer.Data.Type == "scalar" {
		return []sample{{}}, nil
	}
	var all []sample
	if err := json.Unmarshal(answer.Data.Result, &all); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return all, nil
}

// number is the value of an expression that has one series, 0 where it has none.
func (p *prometheus) number(t testing.TB, expr string) float64 {
	t.Helper()
	all, err := p.query(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	if len(all) > 1 {
		t.Fatalf("%s: %d series", expr, len(all))
	}
	if len(all) == 0 {
		return 0
	}
	return all[0].Value.value
}
