// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// qemuBinary names the emulator of an architecture.
func qemuBinary(arch string) string {
	if arch == "arm64" {
		return "qemu-system-aarch64"
	}
	return "qemu-system-x86_64"
}

// tools maps each program that is needed to Debian's package for it.
var tools = map[string]string{
	"qemu-system-x86_64":  "qemu-system-x86",
	"qemu-system-aarch64": "qemu-system-arm",
	"xz":                  "xz-utils",
	"dpkg-deb":            "dpkg",
	"gcc":                 "gcc",
}

// needTools installs what is missing, where it can.
func needTools(ctx context.Context, say io.Writer, programs ...string) error {
	var packages []string
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil && !slices.Contains(packages, tools[program]) {
			packages = append(packages, tools[program])
		}
	}
	if len(packages) == 0 {
		return nil
	}
	_, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing programs: install the packages %s (as root on Debian: apt-get install --no-install-recommends %[1]s)", strings.Join(packages, " "))
	}
	fmt.Fprintf(say, "installing %s\n", strings.Join(packages, " "))
	install := func() error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends"}, packages...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		_, err := output(cmd)
		return err
	}
	if install() == nil {
		return nil
	}
	// The lists are absent, or so old that the packages they name are gone.
	if _, err := output(exec.CommandContext(ctx, "apt-get", "-q", "update")); err != nil {
		return err
	}
	return install()
}
