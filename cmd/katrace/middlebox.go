// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"

	"katrace/internal/conn"
)

func presetNames() (names []string) {
	for _, m := range conn.Middleboxes {
		names = append(names, m.Name)
	}
	return names
}

// parseLimit reads the value of --idle-limit.
func parseLimit(s string) (conn.Middlebox, error) {
	for _, m := range conn.Middleboxes {
		if m.Name == s {
			return m, nil
		}
	}
	d, err := parseTime(s)
	if err != nil || d <= 0 {
		return conn.Middlebox{}, usagef("--idle-limit %q: want a time such as 350s, or %s", s, strings.Join(presetNames(), ", "))
	}
	return conn.Middlebox{Forgets: d}, nil
}
