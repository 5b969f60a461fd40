// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"katrace/test/vm/internal/wire"
)

// applySettings writes the plan's settings. One that the kernel refuses, or
// takes and does not keep, makes the guest useless.
func applySettings(settings []wire.Setting) (problems []string) {
	for _, s := range settings {
		if err := apply(s); err != nil {
			problems = append(problems, fmt.Sprintf("set %s to %q: %v", s.Path, s.Text, err))
		}
	}
	return problems
}

func apply(s wire.Setting) error {
	f, err := os.OpenFile(s.Path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(s.Path)
	if err != nil {
		return err
	}
	if !slices.Equal(strings.Fields(string(text)), strings.Fields(s.Text)) {
		return fmt.Errorf("it is %q now", strings.TrimSpace(string(text)))
	}
	return nil
}
