// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// loadModules loads the modules in the plan's order. Notes are about those
// that the guest can do without.
func loadModules(modules []wire.Module) (problems, notes []string) {
	for _, m := range modules {
		err := loadModule(m.Path)
		switch {
		case err == nil:
		case m.Required:
			problems = append(problems, fmt.Sprintf("load module %s: %v", m.Name, err))
		default:
			notes = append(notes, fmt.Sprintf("load module %s: %v", m.Name, err))
		}
	}
	return problems, notes
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
