// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
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

// chooseRelease picks the newest kernel for virtual machines of a series.
// Up to 6.18 linux-image-RELEASE-cloud-ARCH holds vmlinuz and modules; later
// linux-binary-… holds vmlinuz and linux-modules-… the modules.
func chooseRelease(packages []pkg, s series, arch string) (release, error) {
	suffix := "-cloud-" + arch
	var best *pkg
	for i := range packages {
		p := &packages[i]
		rest, ok := kernelRelease(p.name)
		if !ok || !strings.HasSuffix(rest, suffix) || p.arch != arch || p.size < metapackage ||
			!strings.HasPrefix(p.version, s.upstream) {
			continue
		}
		if best == nil || compareVersions(p.version, best.version) > 0 {
			best = p
		}
	}
	if best == nil {
		return release{}, fmt.Errorf("no package linux-image-*%[1]s or linux-binary-*%[1]s for kernel %s among %d packages", suffix, s.name, len(packages))
	}
	out := release{version: best.version, packages: []string{best.name}}
	rest, _ := kernelRelease(best.name)
	for i := range packages {
		if p := &packages[i]; p.name == "linux-modules-"+rest && p.version == best.version && p.arch == arch {
			out.packages = append(out.packages, p.name)
			break
		}
	}
	return out, nil
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
