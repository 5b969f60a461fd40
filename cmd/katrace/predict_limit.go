// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"time"
)

// limit is how long a middlebox remembers a connection on which nothing moves.
type limit struct {
	name  string // of the preset, "" for a time
	after time.Duration
}

// presets are middleboxes that people meet; docs/middleboxes.md has the sources.
var presets = []limit{
	{"aws-nlb", 350 * time.Second},
	{"azure", 4 * time.Minute},
	{"ipvs", 15 * time.Minute},
}

func presetNames() (names []string) {
	for _, p := range presets {
		names = append(names, p.name)
	}
	return names
}

// parseLimit reads the value of --idle-limit.
func parseLimit(s string) (limit, error) {
	for _, p := range presets {
		if p.name == s {
			return p, nil
		}
	}
	d, err := parseTime(s)
	if err != nil || d <= 0 {
		return limit{}, usagef("--idle-limit %q: want a time such as 350s, or %s", s, strings.Join(presetNames(), ", "))
	}
	return limit{"", d}, nil
}
