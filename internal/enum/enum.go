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

// UnknownError is a word that is none of an enumeration.
type UnknownError struct {
	What, Word string
	words      []string
}

func (e *UnknownError) Error() string {
	if len(e.words) == 0 {
		return e.Brief()
	}
	return fmt.Sprintf("%s (one of: %s)", e.Brief(), strings.Join(e.words, ", "))
}

// Brief is the Error without the words that there are.
func (e *UnknownError) Brief() string {
	const most = 80 // bytes of the word, which may come from anywhere
	word, more := e.Word, ""
	if len(word) > most {
		word, more = strings.ToValidUTF8(word[:most], ""), "..."
	}
	return fmt.Sprintf("unknown %s %q%s", e.What, word, more)
}

// Parse is the inverse of Name. Its error is an *UnknownError, which quotes s and
// lists the words.
func (n Names[T]) Parse(s string) (T, error) {
	for i, w := range n.Words {
		if w != "" && w == s {
			return T(i), nil
		}
	}
	return 0, &UnknownError{n.What, s, n.All()}
}

// All lists the words.
func (n Names[T]) All() []string { return n.Words[1:] }
