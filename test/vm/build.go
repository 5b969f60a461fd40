// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// goBuild builds a static program for a guest. verb is "build", or "test" for
// a test binary; dir is the package's directory.
func goBuild(ctx context.Context, verb, dir, to, arch string) error {
	args := []string{verb}
	if verb == "test" {
		args = append(args, "-c")
	}
	args = append(args, "-trimpath", "-ldflags=-s -w", "-o", to, ".")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if _, err := output(cmd); err != nil {
		return err
	}
	if _, err := os.Stat(to); err != nil {
		return fmt.Errorf("go %s in %s made nothing: there are no tests in it", verb, dir)
	}
	return nil
}

// buildInit builds the guest program into dir.
func buildInit(ctx context.Context, dir, arch string) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "init-"+arch)
	return to, goBuild(ctx, "build", filepath.Join(root, "test", "vm", "guest"), to, arch)
}

// buildPlugin builds the emulator's plugin that counts blocks into dir, and returns
// it with its argument, the file that it writes.
func buildPlugin(ctx context.Context, dir, arch, out string) (string, error) {
	if arch != "amd64" || runtime.GOARCH != "amd64" {
		return "", errors.New("-blocks knows amd64's instructions only")
	}
	if err := needTools(ctx, os.Stderr, "gcc"); err != nil {
		return "", err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "blocks.so")
	_, err = output(exec.CommandContext(ctx, "gcc", "-O2", "-shared", "-fPIC", "-o", to,
		filepath.Join(root, "test", "vm", "plugin", "blocks.c")))
	// A comma in a name is written twice.
	return to + ",out=" + strings.ReplaceAll(out, ",", ",,"), err
}

// moduleRoot is the directory of this module's go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	file, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "katrace"))
	if err != nil {
		return "", fmt.Errorf("run this inside katrace's source: %w", err)
	}
	return strings.TrimSpace(file), nil
}

// checkProgram tells before the boot what would fail after it: a program for
// another architecture, or one that needs libraries that no guest has.
func checkProgram(path, arch string) error {
	f, err := elf.Open(path)
	if err != nil {
		return nil // a script, or data
	}
	defer f.Close()
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]; f.Machine != want {
		return fmt.Errorf("%s is for %v, the guest is %s: build it with GOARCH=%[3]s", path, f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && f.Type != elf.ET_REL {
			return fmt.Errorf("%s is linked dynamically and guests have no libraries: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}
