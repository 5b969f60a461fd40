// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A block is a fenced block that a comment stands before.
type block struct {
	kind    string // output or demo
	where   string // "hz=250", or the demo's kernel
	command string // "": the block's own lines "$ COMMAND"
	indent  string // of the comment, and of every line of the block
	first   int    // the first line after the fence
	end     int    // the closing fence's line
}

var comment = regexp.MustCompile(`^( *)<!-- (output|demo)(?: ([^:]*?))?(?:: (.*))? -->$`)

// blocks finds them all.
func blocks(lines []string) ([]block, error) {
	var found []block
	for i := 0; i < len(lines); i++ {
		m := comment.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		b := block{kind: m[2], where: m[3], command: m[4], indent: m[1], first: i + 2}
		if b.first >= len(lines) || !strings.HasPrefix(lines[i+1], b.indent+"```") {
			return nil, fmt.Errorf("line %d: no fenced block after the comment", i+1)
		}
		for b.end = b.first; b.end < len(lines) && lines[b.end] != b.indent+"```"; b.end++ {
		}
		if b.end == len(lines) {
			return nil, fmt.Errorf("line %d: the block has no end", i+1)
		}
		found = append(found, b)
		i = b.end
	}
	return found, nil
}

// remake is the text with every block made anew. A block that cannot be made
// here stays as it is.
func (m *maker) remake(text []byte) ([]byte, error) {
	lines := strings.Split(string(text), "\n")
	found, err := blocks(lines)
	if err != nil {
		return nil, err
	}
	var made []string
	at := 0
	for _, b := range found {
		old := make([]string, 0, b.end-b.first)
		for _, line := range lines[b.first:b.end] {
			old = append(old, strings.TrimPrefix(line, b.indent))
		}
		content, err := m.content(b, old)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", b.first, err)
		}
		made = append(made, lines[at:b.first]...)
		for _, line := range content {
			if line != "" {
				line = b.indent + line
			}
			made = append(made, line)
		}
		at = b.end
	}
	return []byte(strings.Join(append(made, lines[at:]...), "\n")), nil
}

// content is what a block holds, made anew from what it held.
func (m *maker) content(b block, old []string) ([]string, error) {
	var made []string
	switch {
	case b.kind == "demo":
		if m.demos == nil {
			return old, nil
		}
		return m.demo(b)
	case b.where != "" && b.where != m.hz:
		return old, nil
	case b.command != "":
		if len(old) > 0 && strings.HasPrefix(old[0], "$ ") {
			made = old[:1]
		}
		out, err := m.shell(b.command, "")
		return append(made, out...), err
	}
	for _, line := range old {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		out, err := m.shell(command, "")
		if err != nil {
			return nil, err
		}
		made = append(append(made, line), out...)
	}
	return made, nil
}
