// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/test/hostile"
)

// TestText holds the text stream against testdata/text.golden, which go test
// ./internal/events -run TestText -update rewrites.
func TestText(t *testing.T) {
	var got bytes.Buffer
	var text Text
	events := everyKind()
	nobody := someEvent(KindProbed)
	nobody.Has &^= conn.HasUID
	named := someEvent(KindProbed)
	named.Process = conn.Process{PID: 7, Comm: "größe\x1b[2J"}
	long := someEvent(KindProbed)
	long.Cgroup, long.Process = "/not/shown", conn.Process{PID: 4194304, Comm: "a-comm-of-15-ch"}
	long.Remote = withPort(someEvent(KindProbed).Remote, 65535)
	for _, e := range append(events, namedEvent{"", nobody}, namedEvent{"", named}, namedEvent{"", long}) {
		got.Write(append(text.Append(nil, &e.event), '\n'))
	}
	golden := filepath.Join("testdata", "text.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("- want, + got:\n%s", d)
	}
}

// TestTextIsSafe: whatever the strings from outside hold, a recording's
// included, the line is one line of printing characters.
func TestTextIsSafe(t *testing.T) {
	for _, s := range hostile.Names {
		for _, e := range everyKind() {
			e.event.Process, e.event.Cgroup, e.event.Container, e.event.Pod = conn.Process{PID: 812, Comm: s}, s, s, s
			e.event.SendError, e.event.Errno, e.event.ICMP.Text = s, s, s
			e.event.Host = s
			if e.event.Set != nil {
				e.event.Set = &Set{Error: s}
			}
			if e.event.Tracing != nil {
				e.event.Tracing = &Tracing{Kernel: s, Backend: s, Version: s, Filters: s, Error: s}
			}
			e.event.Drop.Reason, e.event.Drop.Text, e.event.Drop.Where = s, s, s
			hostile.CheckPrinting(t, AppendText(nil, &e.event))
		}
	}
}

// TestColumns: what happened is said in the same column on every line whose
// columns hold what is in them.
func TestColumns(t *testing.T) {
	at := -1
	for _, comm := range []string{"sh", "postgres", "größe", "\x1b[2J"} {
		e := someEvent(KindProbed)
		e.Process = conn.Process{PID: 7, Comm: comm}
		line, words := AppendText(nil, &e), AppendWords(nil, &e)
		column := utf8.RuneCount(line) - utf8.RuneCount(words)
		if at < 0 {
			at = column
		}
		if column != at {
			t.Errorf("%q: in column %d, want %d: %s", comm, column, at, line)
		}
	}
}

// TestTextContainer: a container is named behind its owner, by as much of its id
// as its runtime shows, and the words stay in one column from then on.
func TestTextContainer(t *testing.T) {
	var text Text
	line := func(comm, container string) (owner string, words int) {
		t.Helper()
		e := someEvent(KindProbed)
		e.Process, e.Container = conn.Process{PID: 812, Comm: comm}, container
		l := string(text.Append(nil, &e))
		from := strings.Index(l, comm)
		to := strings.Index(l, "peer sent")
		if from < 0 || to < 0 {
			t.Fatal(l)
		}
		return strings.TrimRight(l[from:to], " "), to
	}
	_, narrow := line("postgres", "")
	const id = "3f2a9c0d1b4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506172839405162738f"
	owner, wide := line("postgres", id)
	if owner != "postgres[812] 3f2a9c0d1b4e" || wide != narrow+13 {
		t.Errorf("%q, the words at %d, want them at %d", owner, wide, narrow+13)
	}
	for _, tt := range []struct{ comm, container, want string }{
		{"sh", "", "sh[812]"},
		{"sh", "webserver-one", "sh[812] webserver-one"}, // lxc's are names
		{"sh", "0123456789abcdef0123456789abcdef-1234", "sh[812] 0123456789ab"},
		{"sh", "a\x1b[2J", "sh[812] a?[2J"},
	} {
		if owner, at := line(tt.comm, tt.container); owner != tt.want || at != wide {
			t.Errorf("%q at %d, want %q at %d", owner, at, tt.want, wide)
		}
	}
}
