// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/test/fields"
)

// TestMapping: what the collector makes of each line is what docs/fleet.md says, to the
// last attribute: of every kind of event with all keys that it can have, and of staged
// deaths that were recorded (docs/images/incident.json).
func TestMapping(t *testing.T) {
	staged, err := os.ReadFile("../../docs/images/incident.json")
	if err != nil {
		t.Fatal(err)
	}
	input := bytes.Join(everyLine(t), nil)
	input = append(append(input, staged...), "half a line, not JSON\n"...)
	server := newOTLPServer(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "katrace.json")
	if err := os.WriteFile(file, input, 0o644); err != nil {
		t.Fatal(err)
	}
	d := startCollector(t, dir, []string{file}, map[string]any{"endpoint": server.address, "encoding": "json", "compression": "none"})
	lines := bytes.SplitAfter(bytes.TrimSuffix(input, []byte("\n")), []byte("\n"))
	lines = slices.DeleteFunc(lines, func(line []byte) bool { return bytes.Contains(line, []byte(`"event":"heartbeat"`)) }) // stay on the host
	waitFor(t, time.Minute, "all lines to be sent", func() bool { return len(server.took(t)) >= len(lines) })
	var want []record
	for _, line := range lines {
		want = append(want, mapped(t, line))
	}
	got := server.took(t)
	order(want)
	order(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff[:min(len(diff), 20_000)])
	}
	d.end(syscall.SIGTERM)
	if words := d.words(); bytes.Contains(words, []byte("\terror\t")) || bytes.Contains(words, []byte("\twarn\t")) {
		t.Errorf("the collector complains:\n%s", words)
	}
}

// order sorts records: the collector groups them by resource.
func order(all []record) {
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
}

// everyLine is a line of each kind with all keys that it can have, and variants of those
// by which the mapping decides.
func everyLine(t *testing.T) (lines [][]byte) {
	t.Helper()
	at := time.Date(2026, 11, 22, 1, 2, 3, 123456789, time.UTC)
	add := func(k events.Kind, change func(*events.Event)) {
		e := events.Event{}
		fields.Each(&e, func(_ string, f reflect.Value) { fields.Set(f, 2) })
		e.Kind, e.Keepalive.Unsure, e.Has = k, 0, events.HasSeq|events.HasRTT|(conn.FirstOwnFact-1)
		e.Keepalive.Inherited = conn.SettingIdle | conn.SettingCount
		e.RTTExact, e.ArmedBeforeChange, e.Tracing.Continues = true, true, true
		at = at.Add(time.Second)
		e.Time = at
		if change != nil {
			change(&e)
		}
		lines = append(lines, append(events.AppendJSON(nil, &e), '\n'))
	}
	for _, k := range events.Kinds() {
		add(k, nil)
	}
	for c := events.Change(0); c <= events.ChangeEnded; c++ {
		add(events.KindReset, func(e *events.Event) { e.Change = c })
	}
	for f := conn.IPv4; f <= conn.IPv4+2; f++ {
		add(events.KindProbe, func(e *events.Event) { e.Family = f })
	}
	for _, word := range conn.TCPStates() {
		add(events.KindProbe, func(e *events.Event) { e.TCPState, _ = conn.ParseTCPState(word) })
	}
	add(events.KindProbe, func(e *events.Event) { // little is known
		*e = events.Event{Kind: e.Kind, Time: e.Time, State: conn.State{Netns: 1, Family: conn.IPv4, Local: e.Remote, Remote: e.Local}}
	})
	add(events.KindProbe, func(e *events.Event) { // beyond what a double holds
		e.Inode, e.UID, e.Keepalive.Inherited = 1<<53+1, 0, 0
	})
	return lines
}

// mapped is the record that a line has to become.
func mapped(t *testing.T, line []byte) record {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var keys map[string]any
	if decoder.Decode(&keys) != nil {
		return record{Body: strings.TrimSpace(string(line)), Resource: map[string]any{"service.name": "katrace"}}
	}
	event := keys["event"].(string)
	at, err := time.Parse(time.RFC3339Nano, keys["time"].(string))
	if err != nil {
		t.Fatal(err)
	}
	r := record{Time: fmt.Sprint(at.UnixNano()), Severity: 9, Text: "INFO", Event: "katrace.keepalive." + event, Body: event,
		Resource: map[string]any{"service.name": "katrace"}, Attributes: map[string]any{}}
	switch keys["change"] {
	case "silent", "unreachable":
		r.Severity, r.Text = 13, "WARN"
	case "ended":
		r.Severity, r.Text = 17, "ERROR"
	}
	for key, name := range map[string]string{"host": "host.name", "container": "container.id", "pod": "k8s.pod.uid", "pod_name": "k8s.pod.name",
		"pod_namespace": "k8s.namespace.name"} {
		if value, ok := keys[key]; ok {
			r.Resource[name] = value
		}
	}
	if uid, ok := keys["uid"]; ok {
		r.Attributes["user.id"] = uid.(json.Number).String()
	}
	if errno, ok := keys["errno"]; ok {
		r.Attributes["error.type"] = errno
	}
	if process, ok := keys["process"].(map[string]any); ok {
		r.Attributes["process.pid"] = plain(process["pid"])
		delete(process, "pid")
	}
	if local, ok := keys["local"].(map[string]any); ok {
		ofConnection(&r, keys, local, keys["remote"].(map[string]any))
	}
	for _, key := range []string{"v", "time", "event", "host", "container", "pod", "pod_name", "pod_namespace", "uid", "errno", "state", "local", "remote"} {
		delete(keys, key)
	}
	flatten(r.Attributes, "katrace", keys)
	return r
}

func ofConnection(r *record, keys, local, remote map[string]any) {
	a := r.Attributes
	a["network.transport"], a["network.type"] = "tcp", "ipv4"
	if keys["family"] == "ipv6" {
		a["network.type"] = "ipv6"
	}
	if keys["family"] != "ipv6-mapped" {
		delete(keys, "family")
	}
	if state, ok := keys["state"]; ok {
		a["network.connection.state"] = state
		for katrace, theirs := range map[string]string{"close": "closed", "fin_wait1": "fin_wait_1", "fin_wait2": "fin_wait_2", "syn_recv": "syn_received",
			"new_syn_recv": "syn_received"} {
			if state == katrace {
				a["network.connection.state"] = theirs
			}
		}
	}
	here, there := plain(local["port"]).(int64), plain(remote["port"]).(int64)
	a["network.local.address"], a["network.local.port"] = local["addr"], here
	a["network.peer.address"], a["network.peer.port"] = remote["addr"], there
	a["katrace.service.port"], a["katrace.service.side"] = there, "remote"
	if here < there {
		a["katrace.service.port"], a["katrace.service.side"] = here, "local"
	}
	r.Body = fmt.Sprintf("%s of %s port %d and %s port %d", keys["event"], local["addr"], here, remote["addr"], there)
}

// flatten gives the inner keys their names; lists stay.
func flatten(into map[string]any, at string, value any) {
	if inner, ok := value.(map[string]any); ok {
		for key, v := range inner {
			flatten(into, at+"."+key, v)
		}
		return
	}
	into[at] = plain(value)
}

// plain makes integers of numbers.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			panic(err) // katrace writes no others
		}
		return n
	case []any:
		all := []any{}
		for _, inner := range v {
			all = append(all, plain(inner))
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for key, inner := range v {
			all[key] = plain(inner)
		}
		return all
	}
	return value
}
