// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"
	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestSetLog: with --log-file each socket that was changed is an event, as the
// schema has it: who, what, before and after; and stderr says who ran it. A dry run,
// and a socket that was as wanted, are none. A replay shows them.
func TestSetLog(t *testing.T) {
	_, pid, local := settable(t)
	dir := t.TempDir()
	log, undo := filepath.Join(dir, "log.json"), filepath.Join(dir, "undo.json")
	const there = `{"v":1,"time":"2026-11-22T01:02:03.000000000Z","event":"closed","netns":1}` + "\n"
	if err := os.WriteFile(log, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"set", "--pid", pid, "--local-port", portIn(local[0]), "--remote-port", portIn(remoteOf(t, pid, local[0])), "--idle", "90", "--on"}
	for _, more := range [][]string{
		{}, // a dry run
		{"--apply", "--log-file", log, "--undo-file", undo, "--host", "db1"},
		{"--apply", "--log-file", log}, // as wanted by now
	} {
		cmd := asKatrace(append(args, more...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		who := fmt.Sprintf("Z uid %d", os.Getuid())
		if said := strings.Contains(string(out), who); said != (len(more) > 0) {
			t.Errorf("%q: says who did it: %t\n%s", more, said, out)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(undo, link); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{
		{"--undo", undo, "--log-file", link},
		{"--undo", undo, "--log-file", dir + "/./undo.json"},
		{"--pid", pid, "--idle", "91", "--log-file", undo}, // of an earlier run
	} {
		cmd := asKatrace(append([]string{"set", "--apply"}, more...)...)
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "old values") {
			t.Errorf("%q: %v\n%s", more, err, out)
		}
	}
	if out, err := asKatrace("set", "--undo", undo, "--apply", "--log-file", log).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimPrefix(string(text), there), "\n")
	if len(lines) != 3 || lines[2] != "" {
		t.Fatalf("%d lines, want two:\n%s", len(lines)-1, text)
	}
	schema, err := docs.Schema(docs.EventsSchema)
	if err != nil {
		t.Fatal(err)
	}
	minute := conn.Values{Known: conn.AllFields, On: true, Idle: time.Minute, Interval: 75 * time.Second, Count: 9}
	more := minute
	more.Idle = 90 * time.Second
	for i, want := range []events.Set{{Before: minute, After: more}, {Before: more, After: minute, Undo: true}} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(lines[i]))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", lines[i], err)
		}
		e, err := events.ParseJSON([]byte(lines[i]))
		if err != nil {
			t.Fatal(err)
		}
		if e.Set.By.PID == 0 || e.Set.By.UID != uint32(os.Getuid()) || fmt.Sprint(e.Process.PID) != pid || e.Local.String() != local[0] || (e.Host == "db1") != (i == 0) {
			t.Errorf("%s", lines[i])
		}
		want.By = e.Set.By
		if e.Set.Rearmed = false; i == 0 {
			e.Set.TimerBefore, e.Set.TimerAfter = 0, 0
		}
		if *e.Set != want {
			t.Errorf("%+v, want %+v", *e.Set, want)
		}
	}
	out, err := asKatrace("replay", log, "-o", "text", "--event", "set").Output()
	if err != nil || strings.Count(string(out), "  set  ") != 2 || !strings.Contains(string(out), "katrace set --undo by uid") {
		t.Errorf("replay: %v\n%s", err, out)
	}
}

// remoteOf is the other end of the process's connection.
func remoteOf(t *testing.T, pid, local string) string {
	t.Helper()
	out, err := asKatrace("list", "--pid", pid, "--local-port", portIn(local), "--all-netns", "-o", "json", "--state", "established").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var s struct{ Remote struct{ Port int } }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(":", s.Remote.Port)
	}
	t.Fatalf("no connection from %s", local)
	return ""
}

// TestSetFullLog: what cannot be logged ends the run; what was changed by then is said.
func TestSetFullLog(t *testing.T) {
	child, pid, local := settable(t)
	cmd := asKatrace("set", "--pid", pid, "--local-port", portIn(local[0])+","+portIn(local[1]), "--idle", "90", "--apply", "--log-file", "/dev/full")
	out, _ := cmd.CombinedOutput() // the status is looked at
	if said := string(out); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said, "1 of 2 sockets changed, 1 NOT changed") ||
		!strings.Contains(said, "NOT changed: not reached: --log-file, without which nothing more is changed: ") || !strings.Contains(said, "no space left on device") {
		t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), said)
	}
	if got := has(t, child, "60"); got != "1 90 1 30 <nil>" && got != "1 60 1 90 <nil>" {
		t.Errorf("the sockets: %s, want one of them changed", got)
	}
}
