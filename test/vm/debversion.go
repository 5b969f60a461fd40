// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"strings"
)

// compareVersions orders Debian package versions without an epoch (kernels
// have none) as deb-version(7) says: negative where a is older than b.
func compareVersions(a, b string) int {
	upstreamA, revisionA := splitRevision(a)
	upstreamB, revisionB := splitRevision(b)
	return cmp.Or(compareParts(upstreamA, upstreamB), compareParts(revisionA, revisionB))
}

func splitRevision(v string) (upstream, revision string) {
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return v[:i], v[i+1:]
	}
	return v, "0"
}

// compareParts compares by turns a run of other characters and a number.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		var textA, textB, numA, numB string
		textA, a = cut(a, false)
		textB, b = cut(b, false)
		numA, a = cut(a, true)
		numB, b = cut(b, true)
		if c := cmp.Or(compareText(textA, textB), compareNumbers(numA, numB)); c != 0 {
			return c
		}
	}
	return 0
}

// cut takes the leading run of digits, or of everything else.
func cut(s string, digits bool) (run, rest string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9') == digits {
		i++
	}
	return s[:i], s[i:]
}

func compareText(a, b string) int {
	for i := 0; i < len(a) || i < len(b); i++ {
		if c := cmp.Compare(weight(a, i), weight(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// weight sorts a tilde before the end, the end before letters, letters before
// the rest.
func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'a' && s[i] <= 'z', s[i] >= 'A' && s[i] <= 'Z':
		return int(s[i])
	default:
		return int(s[i]) + 256
	}
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}
