// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"slices"
	"strings"
)

// A series is a line of Debian kernels, and where in the archive it lives. Only
// the newest version that the archive has is ever used: older ones vanish.
type series struct {
	name     string
	upstream string   // prefix of the version; "" takes any
	suites   []string // of the main archive
	security []string // of the security archive
}

// allSeries are those that can be had, oldest first. Old and new kernels differ in what
// katrace reads: see what bpf/ tests for.
var allSeries = []series{
	{name: "5.10", upstream: "5.10.", security: []string{"bullseye-security"}}, // the oldest that katrace supports
	{name: "6.1", upstream: "6.1.", suites: []string{"bookworm"}, security: []string{"bookworm-security"}},
	{name: "6.12", upstream: "6.12.", suites: []string{"trixie"}, security: []string{"trixie-security"}},
	{name: "newest", suites: []string{"trixie-backports"}},
}

// archs are the architectures of guests, as Debian and Go both call them.
var archs = []string{"amd64", "arm64"}

// target is a series on an architecture.
type target struct {
	series
	arch string
}

// matrixNames is the matrix: every series on amd64, and on arm64 those in which
// a backend works that differs from amd64's (fentry needs 6.4 there).
func matrixNames() string { return seriesNames() + ",6.12-arm64,newest-arm64" }

// parseTargets reads a comma-separated list of series; "-arm64" behind one
// says for which architecture, amd64 if nothing does.
func parseTargets(list string) (out []target, err error) {
	for word := range strings.SplitSeq(list, ",") {
		name, arch, ok := strings.Cut(word, "-")
		if !ok {
			arch = archs[0]
		}
		i := slices.IndexFunc(allSeries, func(s series) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no kernel %q: there are %s", name, seriesNames())
		}
		if !slices.Contains(archs, arch) {
			return nil, fmt.Errorf("kernel %q: no architecture %q: there are %s", word, arch, strings.Join(archs, ","))
		}
		out = append(out, target{allSeries[i], arch})
	}
	return out, nil
}

func seriesNames() string {
	var names []string
	for _, s := range allSeries {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}
