// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"katrace/internal/conn"
	"katrace/test/hostile"
)

// The elements and attributes of a page. None of them loads anything or runs.
var (
	elements = []string{"html", "head", "meta", "title", "style", "body", "header", "main", "section", "h1", "h2", "h3", "p", "b", "span", "div", "dl", "dt", "dd", "ul", "ol", "li",
		"details", "summary", "table", "thead", "tbody", "tr", "th", "td", "code", "svg", "path", "rect"}
	attributes = []string{"lang", "charset", "name", "content", "http-equiv", "class", "open", "role", "aria-label", "aria-hidden",
		"viewbox", "preserveaspectratio", "d", "x", "width", "height"}
	void = []string{"meta", "path", "rect"}
)

// check fails the test unless the page is well formed, of the elements and
// attributes above, and shows no hostile string raw. It returns the page's outline
// and its text.
func check(t *testing.T, page []byte) (outline []string, text string) {
	t.Helper()
	in := html.NewTokenizer(bytes.NewReader(page))
	var open []string
	var words strings.Builder
	for {
		kind := in.Next()
		if kind == html.ErrorToken {
			break
		}
		token := in.Token()
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			if !slices.Contains(elements, token.Data) {
				t.Errorf("an element <%s>", token.Data)
			}
			line := strings.Repeat(" ", len(open)) + token.Data
			for _, a := range token.Attr {
				if !slices.Contains(attributes, a.Key) {
					t.Errorf("<%s> has an attribute %s", token.Data, a.Key)
				}
				hostile.CheckPrinting(t, []byte(a.Val))
				if a.Key == "class" {
					line += "." + a.Val
				}
			}
			outline = append(outline, line)
			if kind == html.StartTagToken && !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> ends %v", token.Data, open)
			}
			open = open[:len(open)-1]
		case html.TextToken:
			if len(open) > 0 && open[len(open)-1] != "style" {
				words.WriteString(token.Data + " ")
			}
		case html.CommentToken:
			t.Errorf("a comment %q", token.Data)
		default: // the document's type
		}
	}
	if len(open) > 0 {
		t.Errorf("not ended: %v", open)
	}
	text = strings.Join(strings.Fields(words.String()), " ")
	hostile.CheckPrinting(t, []byte(text))
	if found := regexp.MustCompile(`(?i)(https?|ftp|data|javascript):|//[a-z]|url\(|@import`).Find(page); found != nil {
		t.Errorf("the page refers to something: %q", found)
	}
	return outline, text
}

// TestHTML: the page of a report with something of each kind. Its outline, elements
// with their classes, is held against testdata/night.outline.
func TestHTML(t *testing.T) {
	var b bytes.Buffer
	if err := nightReport().WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	outline, text := check(t, b.Bytes())
	golden(t, "night.outline", []byte(strings.Join(outline, "\n")+"\n"))
	for _, want := range []string{
		"6 known connections to 10.0.0.2 silent", "<script>alert(1)</script>[801]", "katrace report: web.json, db?[31m<b>.json",
		"db saw all probes come", "Most were silent at", "(1 ECONNABORTED, 1 ECONNRESET)", "half within", "One lost probe is enough", "the machine was suspended", "Not recorded web, 1 time",
	} {
		if !strings.Contains(text, want) && !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	for _, name := range []string{"Time line", "Deaths by cause", "Longest silences", "What the other sides saw", "Who is in trouble", "Round trips", "Keepalive settings", "Seen beside", "Losses and gaps"} {
		if !strings.Contains(text, name) {
			t.Errorf("the page has no section %q", name)
		}
	}
}

// TestLanes: the time line has a row for each peer in trouble, and for a program
// that stops reading: its connections are the incident, whatever their peers.
func TestLanes(t *testing.T) {
	var g stage
	for n := range 8 {
		g.silent(1, socket("", n, "10.0.1.1:443", "other"), 1, 1)
		g.silent(1, socket("", 100+n, fmt.Sprintf("10.0.0.%d:443", n+2), "stuck"), 1, 1)
		g.silent(100, socket("", 100+n, fmt.Sprintf("10.0.0.%d:443", n+2), "stuck"), 1, 3)
	}
	r := g.gather(Options{}).Report()
	if len(r.Incidents) != 1 || r.Incidents[0].Scope != "process" {
		t.Fatalf("%+v", r.Incidents)
	}
	var names []string
	for _, s := range r.Strips() {
		names = append(names, s.Name)
	}
	if len(names) != 10 || names[0] != "all connections" || names[1] != "stuck" || names[2] != "10.0.0.2" {
		t.Errorf("rows: %q", names)
	}
}

// TestHostileNames: whatever a process, a container, a host or a file is called,
// it is text on the page and nothing else.
func TestHostileNames(t *testing.T) {
	names := append([]string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><script>`, `'-->]]>`, `javascript:x`}, hostile.Names...)
	for _, name := range names {
		var g stage
		s := socket(name, 1, "10.0.0.2:5432", name)
		s.Container, s.Cgroup, s.Pod = name, name, name
		g.reset(100, s)
		r := g.gather(Options{}).Report()
		r.Recordings = []Recording{{Name: Text(name), Damaged: 1}}
		r.Hosts = []Host{{Name: Text(name), Kernel: Text(name), Backend: Text(name), Version: Text(name), Filters: Text(name), Gaps: []Gap{}}}
		r.Hints = []Hint{{1, Text(name)}}
		var page, text, json bytes.Buffer
		for _, err := range []error{r.WriteHTML(&page), r.WriteText(&text), r.WriteJSON(&json)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if name == `javascript:x` {
			continue // as text it is harmless
		}
		_, words := check(t, page.Bytes())
		if shown := strings.Join(strings.Fields(conn.Safe(name)), " "); !strings.Contains(words, shown) {
			t.Errorf("%q is not shown in\n%s", name, words)
		}
		for _, out := range []*bytes.Buffer{&text, &json} {
			hostile.CheckPrinting(t, bytes.ReplaceAll(out.Bytes(), []byte("\n"), nil))
		}
		validate(t, json.Bytes())
	}
}
