// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// input is the line that the filter is typed in. bubbles/textinput would do,
// but for the clipboard library that it brings: one that runs other programs,
// which a tracer with a tracer's privileges should not.
type input struct {
	text []rune
	at   int // the cursor, before text[at]
}

// maxInput bounds what can be typed or pasted.
const maxInput = 200

func (in *input) set(s string) {
	in.text = []rune(s)
	in.at = len(in.text)
}

func (in *input) String() string { return string(in.text) }

// insert puts what can be drawn of s before the cursor.
func (in *input) insert(s string) {
	for _, r := range s {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if len(in.text) >= maxInput || r < ' ' || sanitize(string(r), false) != string(r) {
			continue
		}
		in.text = slices.Insert(in.text, in.at, r)
		in.at++
	}
}

// key edits by a key.
func (in *input) key(k tea.KeyPressMsg) {
	switch k.String() {
	case "left", "ctrl+b":
		in.at = max(0, in.at-1)
	case "right", "ctrl+f":
		in.at = min(len(in.text), in.at+1)
	case "home", "ctrl+a":
		in.at = 0
	case "end", "ctrl+e":
		in.at = len(in.text)
	case "backspace", "ctrl+h":
		in.cut(in.at - 1)
	case "delete", "ctrl+d":
		if in.at < len(in.text) {
			in.text = slices.Delete(in.text, in.at, in.at+1)
		}
	case "ctrl+u":
		in.cut(0)
	case "ctrl+k":
		in.text = in.text[:in.at]
	case "ctrl+w", "alt+backspace":
		from := in.at
		for from > 0 && in.text[from-1] == ' ' {
			from--
		}
		for from > 0 && in.text[from-1] != ' ' {
			from--
		}
		in.cut(from)
	default:
		in.insert(k.Text)
	}
}

// cut removes what is between from and the cursor.
func (in *input) cut(from int) {
	from = max(0, from)
	in.text = slices.Delete(in.text, from, in.at)
	in.at = from
}

// view is the line after its prompt in w cells, and the cursor's cell: the
// window moves so that the cursor is in it.
func (in *input) view(w int) (string, int) {
	from := 0
	for from < in.at && cells(string(in.text[from:in.at])) >= max(1, w) {
		from++
	}
	text := string(in.text[from:])
	return ansi.Truncate(text, max(0, w), ""), cells(string(in.text[from:in.at]))
}

// hint says what can be typed, as long as nothing is.
func (in *input) hint() string {
	if len(in.text) > 0 {
		return ""
	}
	return strings.Join([]string{"address", "port", "owner or verdict", "!not", "enter keeps", "esc clears", "up recalls"}, ", ")
}
