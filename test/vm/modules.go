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
	"strings"
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
}

type wantedModule struct {
	name     string
	required bool // if the package has it, it must load
}

// module is a module in the cache.
type module struct {
	Name     string `json:"name"`
	File     string `json:"file"` // in the kernel's directory, not compressed
	Required bool   `json:"required"`
}

// collectModules copies the wanted modules and what they depend on from an
// unpacked tree into dir/modules, decompressed, and returns them in an order
// in which each finds what it needs.
func collectModules(ctx context.Context, tree, dir string) ([]module, error) {
	files, err := moduleFiles(tree)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "modules"), 0o755); err != nil {
		return nil, err
	}
	var out []module
	index := map[string]int{} // by name, into out; -1 while its dependencies are collected
	var add func(name string, required bool) error
	add = func(name string, required bool) error {
		if i, seen := index[name]; seen {
			if i >= 0 && required {
				out[i].Required = true
			}
			return nil
		}
		path, ok := files[name]
		if !ok {
			return nil
		}
		index[name] = -1
		text, err := readModule(ctx, path)
		if err != nil {
			return err
		}
		deps, err := dependencies(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, dep := range deps {
			if err := add(dep, required); err != nil {
				return err
			}
		}
		file := filepath.Join("modules", name+".ko")
		index[name] = len(out)
		out = append(out, module{name, file, required})
		return os.WriteFile(filepath.Join(dir, file), text, 0o644)
	}
	for _, w := range wanted {
		if err := add(w.name, w.required); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// moduleFiles finds the tree's modules by their names, in which the kernel
// takes - and _ for the same.
func moduleFiles(tree string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok {
			files[strings.ReplaceAll(name, "-", "_")] = path
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
			return strings.Split(strings.ReplaceAll(names, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
