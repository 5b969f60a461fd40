// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"flag"
	"fmt"
	"path"
	"slices"
	"strings"

	"katrace/test/vm/internal/wire"
)

// staging is what a guest has, or lacks, beside a plain one.
type staging struct {
	cmdline  string   // more of the kernel's command line
	modules  []string // more modules to load
	mounts   []wire.Mount
	settings []wire.Setting
	without  []string // of wire.Facilities
	gdb      bool     // tests may use package memory
}

// addFlags adds a flag for each, which adds to what is there.
func (s *staging) addFlags(flags *flag.FlagSet) {
	flags.Func("cmdline", "more of the kernel's command `line`; may be repeated", func(v string) error {
		s.cmdline = strings.TrimSpace(s.cmdline + " " + v)
		return nil
	})
	flags.Func("module", "`name` of a module to load beside those that every guest loads; may be repeated", func(v string) error {
		s.modules = append(s.modules, v)
		return nil
	})
	flags.Func("mount", "`TYPE:SOURCE:DIRECTORY[:OPTIONS]` to mount, or bind:FROM:TO; instead of the guest's own on the same directory; may be repeated", func(v string) error {
		m, err := parseMount(v)
		s.mounts = append(s.mounts, m)
		return err
	})
	flags.Func("set", "`KEY=VALUE` of a sysctl, or of a file (a path), to write before the command; may be repeated", func(v string) error {
		t, err := parseSetting(v)
		s.settings = append(s.settings, t)
		return err
	})
	flags.Func("without", "what the guest is to lack, by commas: "+strings.Join(wire.Facilities, ","), func(v string) error {
		names, err := parseFacilities(v)
		s.without = append(s.without, names...)
		return err
	})
	flags.BoolFunc("gdb", "let the command read and write the kernel's memory (test/vm/memory)", func(string) error {
		s.gdb = true
		return nil
	})
}

// plus is both, the other one's after s's.
func (s staging) plus(o staging) staging {
	return staging{
		cmdline:  strings.TrimSpace(s.cmdline + " " + o.cmdline),
		modules:  slices.Concat(s.modules, o.modules),
		mounts:   slices.Concat(s.mounts, o.mounts),
		settings: slices.Concat(s.settings, o.settings),
		without:  slices.Concat(s.without, o.without),
		gdb:      s.gdb || o.gdb,
	}
}

// parseMount reads TYPE:SOURCE:DIRECTORY[:OPTIONS].
func parseMount(text string) (wire.Mount, error) {
	f := strings.SplitN(text, ":", 4)
	if len(f) < 3 || f[0] == "" || !path.IsAbs(f[2]) {
		return wire.Mount{}, fmt.Errorf("%q is not TYPE:SOURCE:DIRECTORY[:OPTIONS]", text)
	}
	m := wire.Mount{Type: f[0], Source: f[1], Dir: path.Clean(f[2])}
	if len(f) == 4 {
		m.Options = f[3]
	}
	return m, nil
}

// parseSetting reads KEY=VALUE. The key is a sysctl's name or a path.
func parseSetting(text string) (wire.Setting, error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return wire.Setting{}, fmt.Errorf("%q is not KEY=VALUE", text)
	}
	if !path.IsAbs(key) {
		key = "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	}
	return wire.Setting{Path: key, Text: value}, nil
}

func parseFacilities(list string) ([]string, error) {
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(wire.Facilities, name) {
			return nil, fmt.Errorf("no facility %q: there are %s", name, strings.Join(wire.Facilities, ","))
		}
	}
	return names, nil
}
