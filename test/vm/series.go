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

// allSeries is the matrix, oldest first. Old and new kernels differ in what
// katrace reads: see what bpf/ tests for.
var allSeries = []series{
	{name: "5.10", upstream: "5.10.", security: []string{"bullseye-security"}}, // the oldest that katrace supports
	{name: "6.1", upstream: "6.1.", suites: []string{"bookworm"}, security: []string{"bookworm-security"}},
	{name: "6.12", upstream: "6.12.", suites: []string{"trixie"}, security: []string{"trixie-security"}},
	{name: "newest", suites: []string{"trixie-backports"}},
}

// archs are the architectures of guests, as Debian and Go both call them.
var archs = []string{"amd64", "arm64"}

// parseSeries reads a comma-separated list of series.
func parseSeries(list string) ([]series, error) {
	var out []series
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(allSeries, func(s series) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no kernel %q: there are %s", name, seriesNames())
		}
		out = append(out, allSeries[i])
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

// parseArchs reads a comma-separated list of architectures.
func parseArchs(list string) ([]string, error) {
	var out []string
	for arch := range strings.SplitSeq(list, ",") {
		if !slices.Contains(archs, arch) {
			return nil, fmt.Errorf("no architecture %q: there are %s", arch, strings.Join(archs, ","))
		}
		out = append(out, arch)
	}
	return out, nil
}
