// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// playDemos runs katrace demo once in a guest for each kernel that blocks ask
// for, with all cases that they name.
func (m *maker) playDemos(texts map[string][]byte) error {
	cases := map[string][]string{} // by kernel
	for file, text := range texts {
		found, err := blocks(strings.Split(string(text), "\n"))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, b := range found {
			if name, _, _ := strings.Cut(b.command, " "); b.kind == "demo" && !slices.Contains(cases[b.where], name) {
				cases[b.where] = append(cases[b.where], name)
			}
		}
	}
	m.demos = map[string][]string{}
	for kernel, names := range cases {
		katrace := filepath.Join(m.bin, "katrace")
		cmd := exec.Command("go", "run", "./test/vm", "run", "-kernel", kernel, "-file", katrace, "--",
			"/katrace", "demo", "--attach", "kprobe", "--slack", "3s", "--case", strings.Join(names, ","))
		cmd.Dir, cmd.Stderr = m.top, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("the demo on %s: %w: %s", kernel, err, out)
		}
		m.demos[kernel] = strings.Split(string(out), "\n")
	}
	return nil
}

// event is a line of the demo's: when, which case, what.
var event = regexp.MustCompile(`^ *([0-9.]+)s  ([a-z0-9-]+) +(.*)$`)

// demo is the events of one case, timed from its first one, and put through
// the block's filter.
func (m *maker) demo(b block) ([]string, error) {
	name, filter, _ := strings.Cut(b.command, " | ")
	var made []string
	var first float64
	for _, line := range m.demos[b.where] {
		parts := event.FindStringSubmatch(line)
		if parts == nil || parts[2] != name {
			continue
		}
		at, err := strconv.ParseFloat(parts[1], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if len(made) == 0 {
			first = at
		}
		made = append(made, fmt.Sprintf("%6.2fs  %s", at-first, parts[3]))
	}
	if len(made) == 0 {
		return nil, fmt.Errorf("the demo on %s printed no event of case %s", b.where, name)
	}
	if filter == "" {
		return made, nil
	}
	return m.shell(filter, strings.Join(made, "\n")+"\n")
}
