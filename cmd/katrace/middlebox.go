// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"

	"katrace/internal/conn"
)

func presetNames() (names []string) {
	for _, m := range conn.Middleboxes {
		names = append(names, m.Name)
	}
	return names
}

func limitFlag(to *conn.Middlebox, help string) flagSpec {
	return flagSpec{name: "idle-limit", to: valueOf(to, parseLimit), values: presetNames(),
		help: help + ": a time such as 350s (a bare number is seconds), or " + strings.Join(presetNames(), ", ")}
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
		return conn.Middlebox{}, fmt.Errorf("want a time such as 350s, or %s", strings.Join(presetNames(), ", "))
	}
	return conn.Middlebox{Forgets: d}, nil
}
