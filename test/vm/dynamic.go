// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dynamicPrograms are programs of the system under root and the libraries that they
// need, each once and in the place where it lies there.
func dynamicPrograms(ctx context.Context, root string, paths []string) (files []shipped, err error) {
	for _, path := range paths {
		text, err := output(exec.CommandContext(ctx, "chroot", root, "ldd", path))
		if err != nil {
			return nil, err
		}
		libraries, err := parseLdd(text)
		if err != nil {
			return nil, fmt.Errorf("what %s needs: %w", path, err)
		}
		for _, f := range append(libraries, path) {
			if s := (shipped{filepath.Join(root, f), f}); !slices.Contains(files, s) {
				files = append(files, s)
			}
		}
	}
	return files, nil
}

// parseLdd finds the libraries' paths, and the loader's, in what ldd prints.
func parseLdd(text string) (paths []string, err error) {
	for line := range strings.Lines(text) {
		name, path, found := strings.Cut(strings.TrimSpace(line), " => ")
		if !found {
			path = name // the loader itself, or the vDSO, which is no file
		}
		path, _, _ = strings.Cut(path, " (0x")
		if found && !filepath.IsAbs(path) {
			return nil, fmt.Errorf("%s: %s", name, path)
		}
		if filepath.IsAbs(path) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}
