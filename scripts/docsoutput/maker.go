// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"katrace/internal/jiffies"
)

// A maker makes blocks.
type maker struct {
	top   string              // the folder that commands run in
	bin   string              // the folder of katrace
	hz    string              // this kernel's, as in a comment
	demos map[string][]string // what a kernel's guest printed; nil: blocks from guests stay
}

func newMaker(katrace, top string) (*maker, error) {
	katrace, err := filepath.Abs(katrace)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(katrace); err != nil {
		return nil, err
	}
	hz, err := jiffies.Read()
	return &maker{top: top, bin: filepath.Dir(katrace), hz: fmt.Sprintf("hz=%d", hz)}, err
}

// shell is what a command prints, by lines, stderr too.
func (m *maker) shell(command, stdin string) ([]string, error) {
	cmd := exec.Command("sh", "-c", strings.ReplaceAll(command, "sudo ", ""))
	cmd.Dir = m.top
	cmd.Env = []string{"PATH=" + m.bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", command, err, out.Bytes())
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, fold(strings.TrimRight(line, " \n"))...)
	}
	return lines, nil
}

// width is how long a line of JSON may be in a page.
const width = 140

// fold breaks a long line of JSON after commas between top-level keys.
func fold(line string) []string {
	if !strings.HasPrefix(line, "{") || len(line) <= width {
		return []string{line}
	}
	var made []string
	start, last, depth, quoted := 0, 0, 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if i+1-start > width && last > start {
			made = append(made, " "+line[start:last])
			start = last
		}
		if line[i] == ',' && depth == 1 && !quoted {
			last = i + 1
		}
	}
	made = append(made, " "+line[start:])
	made[0] = made[0][1:]
	return made
}
