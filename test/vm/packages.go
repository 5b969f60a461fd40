// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// pkg is what matters of a paragraph in a Packages file.
type pkg struct {
	name    string
	version string // Debian's, such as 6.12.107-1
	arch    string
	size    int64 // of the .deb, bytes
}

// readPackages reads a Packages file (deb822, see deb-control(5)) and keeps
// the packages that keep accepts by name.
func readPackages(r io.Reader, keep func(name string) bool) ([]pkg, error) {
	var out []pkg
	var p pkg
	flush := func() {
		if p.name != "" && keep(p.name) {
			out = append(out, p)
		}
		p = pkg{}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 4<<20) // Provides and Depends can be long
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			flush()
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || line[0] == ' ' || line[0] == '\t' {
			continue // a continuation
		}
		value = strings.TrimSpace(value)
		switch key {
		case "Package":
			p.name = value
		case "Version":
			p.version = value
		case "Architecture":
			p.arch = value
		case "Size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("package %s: Size %q is no number", p.name, value)
			}
			p.size = n
		}
	}
	flush()
	return out, lines.Err()
}

// metapackage is the size below which a package holds no kernel: from 6.19 on
// linux-image-* is 2 kB, a real one has more than 10 MB.
const metapackage = 1 << 20

// release is one kernel that can be had: the packages to unpack.
type release struct {
	version  string   // of the packages
	packages []string // with the kernel first
}

// findReleases lists the target's kernels, the newest first. Up to 6.18
// linux-image-RELEASE-FLAVOUR-ARCH holds vmlinuz and modules; later
// linux-binary-… holds vmlinuz and linux-modules-… the modules.
func findReleases(packages []pkg, t target) ([]release, error) {
	var out []release
	for _, p := range packages {
		rest, ok := kernelRelease(p.name)
		if !ok || !hasFlavour(rest, t) || p.arch != t.arch || p.size < metapackage || !strings.HasPrefix(p.version, t.upstream) {
			continue
		}
		r := release{version: p.version, packages: []string{p.name}}
		modules := "linux-modules-" + rest
		if slices.ContainsFunc(packages, func(m pkg) bool { return m.name == modules && m.version == p.version && m.arch == t.arch }) {
			r.packages = append(r.packages, modules)
		}
		// Two suites may have the same package.
		if !slices.ContainsFunc(out, func(o release) bool { return o.version == r.version && o.packages[0] == r.packages[0] }) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no package linux-image-*%[1]s or linux-binary-*%[1]s for kernel %s among %d packages", t.suffix(), t, len(packages))
	}
	slices.SortStableFunc(out, func(a, b release) int { return compareVersions(b.version, a.version) })
	return out, nil
}

// hasFlavour tells whether a kernel's release (uname -r) is of the target's
// flavour. The generic flavour has no word of its own, and ends as the others do.
func hasFlavour(release string, t target) bool {
	if !strings.HasSuffix(release, t.suffix()) {
		return false
	}
	for _, f := range flavours {
		other := target{t.series, f.name, t.arch}
		if len(other.suffix()) > len(t.suffix()) && strings.HasSuffix(release, other.suffix()) {
			return false
		}
	}
	return true
}

// kernelRelease is what uname -r says of the kernel in a package of this name.
// Others have names alike: linux-image-cloud-amd64, which depends on the
// newest, and linux-binary-unsigned-….
func kernelRelease(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "linux-image-")
	if !ok {
		rest, ok = strings.CutPrefix(name, "linux-binary-")
	}
	if !ok || rest == "" || rest[0] < '0' || rest[0] > '9' {
		return "", false
	}
	return rest, true
}
