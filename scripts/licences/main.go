// SPDX-License-Identifier: BSD-2-Clause

// Command licences writes the licences of all that the binary is made of, for
// both architectures, as THIRD_PARTY_LICENSES has them: of the modules that are
// linked (not of those that only tests and tools use), of Go itself, and of the
// headers that the BPF objects are made with. It reads the module cache, and
// nothing from the network.
//
//	go run ./scripts/licences >THIRD_PARTY_LICENSES
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const head = `The katrace binary contains, beside katrace's own code (see LICENSE), the
following, each under the licence given.
`

// libbpf is what bpf/ includes of it: bpf_helpers.h and its like, whose inline
// functions are in the objects. LGPL-2.1 OR BSD-2-Clause, at the user's choice;
// this is its LICENSE.BSD-2-Clause.
const libbpf = `Copyright (c) 2015 The Libbpf Authors. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice,
   this list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE
LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF
SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE)
ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE.
`

// licence is one text, and what it is for.
type licence struct {
	text string
	of   []string
}

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func write(out io.Writer) error {
	goroot, err := run("", "go", "env", "GOROOT")
	if err != nil {
		return err
	}
	golang, err := os.ReadFile(filepath.Join(strings.TrimSpace(goroot), "LICENSE"))
	if err != nil {
		return err
	}
	all := []licence{{string(golang), []string{"Go's runtime and standard library"}}, {libbpf, []string{"libbpf's headers, in the BPF objects"}}}
	modules, err := linked()
	if err != nil {
		return err
	}
	for _, m := range modules {
		text, err := m.licences()
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(all, func(l licence) bool { return l.text == text }); i >= 0 {
			all[i].of = append(all[i].of, m.name)
		} else {
			all = append(all, licence{text, []string{m.name}})
		}
	}
	var b bytes.Buffer
	b.WriteString(head)
	for _, l := range all {
		fmt.Fprintf(&b, "\n%[1]s\n%[2]s\n%[1]s\n\n%[3]s\n", strings.Repeat("=", 80), strings.Join(l.of, "\n"), strings.TrimSpace(l.text))
	}
	_, err = out.Write(b.Bytes())
	return err
}

// module is a module of which a package is linked.
type module struct {
	name, dir string   // name with its version
	packages  []string // directories
}

// linked lists the modules in the binary, in the order of their names.
func linked() ([]*module, error) {
	byName := map[string]*module{}
	for _, arch := range []string{"amd64", "arm64"} {
		list, err := run(arch, "go", "list", "-deps", "-f",
			`{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{"\t"}}{{.Dir}}{{"\t"}}{{$.Dir}}{{end}}{{end}}`, "./cmd/katrace")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(list) {
			f := strings.Split(strings.TrimSpace(line), "\t")
			if len(f) != 3 {
				continue // of the standard library, or of katrace
			}
			if byName[f[0]] == nil {
				byName[f[0]] = &module{name: f[0], dir: f[1]}
			}
			byName[f[0]].packages = append(byName[f[0]].packages, f[2])
		}
	}
	var all []*module
	for _, m := range byName {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *module) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// licences are the texts in the module's directory, and in those of the
// packages that are linked, up to it.
func (m *module) licences() (string, error) {
	dirs := map[string]bool{}
	for _, dir := range m.packages {
		for ; len(dir) >= len(m.dir); dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	var files []string
	for dir := range dirs {
		for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "NOTICE*"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return "", err
			}
			files = append(files, found...)
		}
	}
	if len(files) == 0 {
		return "", fmt.Errorf("%s has no licence", m.name)
	}
	slices.Sort(files)
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		texts = append(texts, strings.TrimSpace(string(text)))
	}
	return strings.Join(texts, "\n\n"+strings.Repeat("-", 80)+"\n\n"), nil
}

func run(arch, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if arch != "" {
		cmd.Env = append(cmd.Env, "GOARCH="+arch)
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}
