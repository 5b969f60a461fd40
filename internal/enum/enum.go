// SPDX-License-Identifier: BSD-2-Clause

// Package enum maps small enumerations to the words of the stream and back.
package enum

import (
	"fmt"
	"strings"
)

// Names are the words of an enumeration whose values count up from 0. Zero is
// "absent" and has no word.
type Names[T ~uint8] struct {
	What  string // what the values are, for errors: "verdict"
	Words []string
}

// Name is the value's word, "" for 0 and for what is no value.
func (n Names[T]) Name(v T) string {
	if int(v) < len(n.Words) {
		return n.Words[v]
	}
	return ""
}

// Parse is the inverse of Name. Its error quotes s and lists the words.
func (n Names[T]) Parse(s string) (T, error) {
	for i, w := range n.Words {
		if w != "" && w == s {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q (one of: %s)", n.What, s, strings.Join(n.All(), ", "))
}

// All lists the words.
func (n Names[T]) All() []string { return n.Words[1:] }
