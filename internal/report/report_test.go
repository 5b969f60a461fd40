// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"katrace/test/hostile"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, d)
	}
}

// TestText holds the text of a report with something of each kind against
// testdata/night.txt. Its lines fit into a terminal of 80 columns, but for a
// connection's two addresses, and nothing in it acts on a terminal.
func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := nightReport().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "night.txt", b.Bytes())
	for line := range strings.SplitSeq(b.String(), "\n") {
		hostile.CheckPrinting(t, []byte(line))
		if ansi.StringWidth(line) > width && !strings.Contains(line, " > ") {
			t.Errorf("%d columns: %s", ansi.StringWidth(line), line)
		}
	}
}

// TestNoLoss: where a recording has lines that are not understood, one may be of a loss.
func TestNoLoss(t *testing.T) {
	for unknown, want := range []string{"katrace reported no loss.", "katrace reported no loss that this version knows of."} {
		r := Report{Recordings: []Recording{{}, {Unknown: unknown}}}
		if got := r.Gone()[0]; got != want {
			t.Errorf("%d lines unknown: %q", unknown, got)
		}
	}
}

func TestEmpty(t *testing.T) {
	r := NewGatherer(Options{}).Report()
	var text, html, json bytes.Buffer
	for w, write := range map[*bytes.Buffer]error{&text: r.WriteText(&text), &html: r.WriteHTML(&html), &json: r.WriteJSON(&json)} {
		if write != nil {
			t.Error(write)
		}
		if w.Len() == 0 {
			t.Error("nothing was written")
		}
	}
	if !strings.HasPrefix(text.String(), "Nothing was recorded.\n") || !strings.Contains(html.String(), "Nothing was recorded.") {
		t.Errorf("of an empty recording:\n%s\n%s", &text, &html)
	}
	validate(t, json.Bytes())
}

// TestFilterWords: the filters of the report are named unless they are those by which
// each host was traced, which are named with it.
func TestFilterWords(t *testing.T) {
	const filters = "--port 5432"
	for _, tt := range []struct {
		r    Report
		want string
	}{
		{Report{}, ""},
		{Report{Hosts: []Host{{Filters: filters}}}, ""},
		{Report{Filters: filters}, "only with " + filters},
		{Report{Filters: filters, Hosts: []Host{{Filters: filters}}}, ""},
		{Report{Filters: filters, Hosts: []Host{{Filters: filters}, {}}}, "only with " + filters},
	} {
		if got := tt.r.FilterWords(); got != tt.want {
			t.Errorf("%q of %+v: %q, want %q", tt.r.Filters, tt.r.Hosts, got, tt.want)
		}
	}
}
