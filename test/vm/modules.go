// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"katrace/test/vm/internal/wire"
)

// wanted are the modules that guests get, in the order of loading; a kernel
// that has one built in, or not at all, goes without, and the guest itself
// checks that what it cannot do without works.
var wanted = []wantedModule{
	{"virtio_pci", true}, // the port to the host; built in from 6.12 on
	{"virtio_console", true},
	{"veth", true},
	{"inet_diag", true}, // socket dumps by netlink
	{"tcp_diag", true},
	{"af_packet", true}, // packet captures
	{"tun", false},
	{"dummy", false},
	{"bridge", false},
	{"sch_tbf", false}, // queues that fill up
	{"sch_plug", false},
	{"sch_netem", false},
	{"crc32c_generic", false}, // libcrc32c asks for it by a soft dependency
	{"nf_tables", false},
	{"nft_reject_inet", false},
	{"sch_ingress", false}, // tc: clsact, matchall, drop
	{"cls_matchall", false},
	{"act_gact", false},
}

type wantedModule struct {
	name     string
	required bool // if the package has it, it must load
}

// wantedNames are the wanted modules' names and more ones, sorted, each once.
func wantedNames(more []string) (names []string) {
	for _, w := range wanted {
		names = append(names, w.name)
	}
	for _, name := range more {
		names = append(names, moduleName(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// moduleName is a module's name as the kernel has it, to which - and _ are the same.
func moduleName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// module is a module in the cache.
type module struct {
	Name  string   `json:"name"`
	Needs []string `json:"needs,omitempty"` // the names of others
}

// moduleFile is where a module lies in the cache, not compressed.
func (k *kernel) moduleFile(name string) string { return filepath.Join(k.dir, "modules", name+".ko") }

// load lists what a guest loads: the wanted modules that the kernel has, more
// ones, and what they need, in the cache's order. More ones are required.
func (k *kernel) load(more []string) []wire.Module {
	need := map[string]bool{} // the names of those to load, and whether they are required
	var add func(name string, required bool)
	add = func(name string, required bool) {
		i := slices.IndexFunc(k.Modules, func(m module) bool { return m.Name == name })
		if i < 0 {
			return // built in, or the kernel goes without
		}
		need[name] = need[name] || required
		for _, dep := range k.Modules[i].Needs {
			add(dep, required)
		}
	}
	for _, w := range wanted {
		add(w.name, w.required)
	}
	for _, name := range more {
		add(moduleName(name), true)
	}
	var out []wire.Module
	for _, m := range k.Modules {
		if required, ok := need[m.Name]; ok {
			out = append(out, wire.Module{Name: m.Name, Path: "/lib/katrace-guest/" + m.Name + ".ko", Required: required})
		}
	}
	return out
}

// collectModules copies the modules of these names and what they depend on
// from an unpacked tree into dir/modules, decompressed, and returns them in an
// order in which each finds what it needs. A kernel has to have the asked ones,
// as modules or built in.
func collectModules(ctx context.Context, tree, dir string, names, asked []string) ([]module, error) {
	files, err := moduleFiles(tree)
	if err != nil {
		return nil, err
	}
	builtIn, err := builtInModules(tree)
	if err != nil {
		return nil, err
	}
	for _, name := range asked {
		if name = moduleName(name); files[name] == "" && !builtIn[name] {
			return nil, fmt.Errorf("this kernel has no module %q", name)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "modules"), 0o755); err != nil {
		return nil, err
	}
	var out []module
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		path, ok := files[name]
		if !ok || seen[name] {
			return nil
		}
		seen[name] = true
		text, err := readModule(ctx, path)
		if err != nil {
			return err
		}
		deps, err := dependencies(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, dep := range deps {
			if err := add(dep); err != nil {
				return err
			}
		}
		out = append(out, module{name, deps})
		return os.WriteFile(filepath.Join(dir, "modules", name+".ko"), text, 0o644)
	}
	// The wanted ones in their order, then the others.
	for _, w := range wanted {
		if err := add(w.name); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// builtInModules reads the names in the tree's modules.builtin, a path a line.
func builtInModules(tree string) (map[string]bool, error) {
	names := map[string]bool{}
	for _, pattern := range []string{"usr/lib/modules/*/modules.builtin", "lib/modules/*/modules.builtin"} {
		files, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			for line := range strings.FieldsSeq(string(text)) {
				names[moduleName(strings.TrimSuffix(filepath.Base(line), ".ko"))] = true
			}
		}
	}
	return names, nil
}

// moduleFiles finds the tree's modules by their names.
func moduleFiles(tree string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok {
			files[moduleName(name)] = path
		}
		return err
	})
	return files, err
}

// readModule reads a module; Debian compresses them from 6.12 on.
func readModule(ctx context.Context, path string) ([]byte, error) {
	switch filepath.Ext(path) {
	case ".ko":
		return os.ReadFile(path)
	case ".xz":
		text, err := output(exec.CommandContext(ctx, "xz", "-dc", path))
		return []byte(text), err
	}
	return nil, fmt.Errorf("%s: a compression that this program does not know", path)
}

// dependencies reads the names behind depends= in the section .modinfo, where
// modinfo(8) takes them from.
func dependencies(text []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo: not a module")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(string(data), "\x00") {
		if names, ok := strings.CutPrefix(field, "depends="); ok && names != "" {
			return strings.Split(moduleName(names), ","), nil
		}
	}
	return nil, nil
}
