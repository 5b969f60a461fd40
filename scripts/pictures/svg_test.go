// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	bar := style{fg: "#112233", bg: "#87afff", bold: true}
	for line, want := range map[string][]span{
		"plain": {{style{}, 0, 5, "plain"}},
		"\x1b[1;38;2;17;34;51;48;5;111mon\x1b[0m off": {
			{bar, 0, 2, "on"}, {style{}, 2, 4, " off"}},
		"\x1b[31m \x1b[1ma \x1b[m \x1b[1mb\x1b[m": { // blanks join what is beside them
			{style{bold: true}, 0, 5, " a  b"}},
		"\x1b[7;4mr\x1b[27;24m▲\x1b[m": {
			{style{reverse: true, underline: true}, 0, 1, "r"}, {style{}, 1, 1, "▲"}},
	} {
		got, last := split(line, style{})
		if d := cmp.Diff(want, got, cmp.AllowUnexported(span{}, style{})); d != "" {
			t.Errorf("%q (-want +got):\n%s", line, d)
		}
		if last != (style{}) {
			t.Errorf("%q leaves %+v", line, last)
		}
	}
	if _, last := split("\x1b[1m", style{}); !last.bold {
		t.Error("a style does not last beyond the line")
	}
}

func TestSVG(t *testing.T) {
	got := string(svg("a \x1b[48;2;48;48;48m<b>\x1b[m\n\n", 10, 2))
	for _, want := range []string{
		`viewBox="0 0 108 58"`,
		`<text xml:space="preserve" x="12.0" y="25" textLength="8.4" fill="#c0caf5">a</text>`,
		`<rect x="28.8" y="12" width="67.2" height="17" fill="#303030"/>`, // to the row's end
		`<text xml:space="preserve" x="28.8" y="25" textLength="25.2" fill="#c0caf5">&lt;b&gt;</text>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
