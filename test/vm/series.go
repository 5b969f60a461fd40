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

// flavours are what Debian builds a series for, with the end of their packages'
// names before the architecture: virtual machines, any machine, and PREEMPT_RT.
var flavours = []struct{ name, suffix string }{
	{"cloud", "-cloud"},
	{"generic", ""},
	{"rt", "-rt"},
}

// target is a flavour of a series on an architecture.
type target struct {
	series
	flavour, arch string
}

// suffix is how the names of a flavour's packages end.
func (t target) suffix() string {
	for _, f := range flavours {
		if f.name == t.flavour {
			return f.suffix + "-" + t.arch
		}
	}
	return ""
}

// String names the target as parseTargets reads it; cloud goes without saying.
func (t target) String() string {
	if t.flavour == flavours[0].name {
		return t.name + "-" + t.arch
	}
	return t.name + "-" + t.flavour + "-" + t.arch
}

// matrixNames is the matrix: every series on amd64, and on arm64 those in which
// a backend works that differs from amd64's (fentry needs 6.4 there).
func matrixNames() string { return seriesNames() + ",6.12-arm64,newest-arm64" }

// parseTargets reads a comma-separated list of targets; "" is none.
func parseTargets(list string) (out []target, err error) {
	if list == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(list, ",") {
		t, err := parseTarget(word)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// parseTarget reads SERIES[-FLAVOUR][-ARCH]: cloud and amd64 where nothing is said.
func parseTarget(word string) (target, error) {
	name, rest, _ := strings.Cut(word, "-")
	i := slices.IndexFunc(allSeries, func(s series) bool { return s.name == name })
	if i < 0 {
		return target{}, fmt.Errorf("no kernel %q: there are %s", name, seriesNames())
	}
	t := target{allSeries[i], flavours[0].name, archs[0]}
	first, second, two := strings.Cut(rest, "-")
	switch {
	case rest == "" && !strings.Contains(word, "-"):
	case two:
		t.flavour, t.arch = first, second
	case slices.Contains(archs, first):
		t.arch = first
	default:
		t.flavour = first
	}
	if !slices.ContainsFunc(flavours, func(f struct{ name, suffix string }) bool { return f.name == t.flavour }) {
		return t, fmt.Errorf("kernel %q: no flavour or architecture %q: there are %s and %s", word, t.flavour, flavourNames(), strings.Join(archs, ","))
	}
	if !slices.Contains(archs, t.arch) {
		return t, fmt.Errorf("kernel %q: no architecture %q: there are %s", word, t.arch, strings.Join(archs, ","))
	}
	return t, nil
}

func flavourNames() string {
	var names []string
	for _, f := range flavours {
		names = append(names, f.name)
	}
	return strings.Join(names, ",")
}

func seriesNames() string {
	var names []string
	for _, s := range allSeries {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}
