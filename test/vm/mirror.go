// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// mirrorEnv names the variable with the URI of a mirror of Debian's main
// archive, for machines whose own sources are not Debian's.
const mirrorEnv = "KATRACE_DEBIAN_MIRROR"

// mirror is where Debian's packages come from: the machine's own sources, so
// that a proxy or a local mirror is respected and no host is named here.
type mirror struct {
	main, security string // URIs with a slash at the end
}

// findMirror asks apt for the machine's sources. On a fresh machine apt knows
// nothing before its first update.
func findMirror(ctx context.Context) (mirror, error) {
	if uri := os.Getenv(mirrorEnv); uri != "" {
		return mirror{main: strings.TrimSuffix(uri, "/") + "/"}.complete()
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return mirror{}, fmt.Errorf("kernels come from Debian's archive by apt-get: %w", err)
	}
	const format = "$(REPO_URI)\t$(ORIGIN)\t$(CODENAME)"
	list := func() (string, error) {
		return output(exec.CommandContext(ctx, "apt-get", "indextargets", "--format", format, "Created-By: Packages"))
	}
	text, err := list()
	if err != nil {
		return mirror{}, err
	}
	if strings.TrimSpace(text) == "" && os.Geteuid() == 0 {
		if _, err := output(exec.CommandContext(ctx, "apt-get", "-q", "update")); err != nil {
			return mirror{}, err
		}
		if text, err = list(); err != nil {
			return mirror{}, err
		}
	}
	return parseMirror(text)
}

// parseMirror reads lines of URI, origin and codename.
func parseMirror(text string) (mirror, error) {
	var m mirror
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 || f[1] != "Debian" {
			continue
		}
		switch uri := strings.TrimSuffix(f[0], "/") + "/"; {
		case strings.HasSuffix(f[2], "-security"):
			if m.security == "" {
				m.security = uri
			}
		case m.main == "":
			m.main = uri
		}
	}
	return m.complete()
}

// complete derives the security archive's URI where the machine does not use
// it: mirrors lay the two side by side.
func (m mirror) complete() (mirror, error) {
	if m.main == "" {
		return m, errors.New("no Debian mirror among this machine's apt sources: add one (and run apt-get update), or set " + mirrorEnv + " to the URI of a mirror of the main archive")
	}
	if m.security == "" {
		m.security = strings.TrimSuffix(m.main, "/") + "-security/"
	}
	return m, nil
}

// keyring finds the keys that Debian's archive is signed with.
func keyring() (string, error) {
	for _, path := range []string{
		"/usr/share/keyrings/debian-archive-keyring.gpg",
		"/usr/share/keyrings/debian-archive-keyring.pgp",
	} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no /usr/share/keyrings/debian-archive-keyring.gpg to check the packages' signatures with: install debian-archive-keyring")
}
