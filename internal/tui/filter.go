// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"bytes"
	"strings"
	"sync/atomic"

	"katrace/internal/events"
)

// filter is what the user typed: terms that all have to be found in a row, or
// not to be found where they begin with "!". A term is looked for, without
// regard to case, in what the screen shows of a connection: its haystack, the
// verdict and the latest event. In the log it is looked for in the haystack of
// the event's connection and in the event's own words.
type filter struct {
	text   string
	number uint32 // no other has it
	terms  []term
	full   uint64              // one bit a term
	netns  func(uint32) string // names of network namespaces; nil: there are none
	buf    []byte
}

type term struct {
	text    []byte
	not     bool
	verdict [numClasses]bool // the verdict's word holds the text
	kind    []bool           // the event's name does, by events.Kind
}

// filters numbers them.
var filters atomic.Uint32

// maxTerms is the number of bits in a matchCache.
const maxTerms = 64

// matchCache holds which terms of a filter were found in a connection's
// haystack, which changes seldom: 100,000 connections are not to be written out
// on each tick.
type matchCache struct {
	found   uint64
	filter  uint32 // its number
	version uint32 // of the facts in the haystack
}

// newFilter compiles what the user typed; nil means everything matches.
func newFilter(text string) *filter {
	f := &filter{text: text, number: filters.Add(1)}
	for _, word := range strings.Fields(strings.ToLower(text)) {
		t := term{text: []byte(word)}
		if rest, ok := strings.CutPrefix(word, "!"); ok {
			t.not, t.text = true, []byte(rest)
		}
		if len(t.text) == 0 || len(f.terms) == maxTerms {
			continue
		}
		for c := range numClasses {
			t.verdict[c] = strings.Contains(c.String(), string(t.text))
		}
		for _, name := range append([]string{""}, events.KindNames()...) {
			t.kind = append(t.kind, strings.Contains(name, string(t.text)))
		}
		f.full |= 1 << len(f.terms)
		f.terms = append(f.terms, t)
	}
	if len(f.terms) == 0 {
		return nil
	}
	return f
}

// match tells whether the connection is to be shown. The Store is locked.
func (f *filter) match(c *entry) bool {
	if c.match.filter != f.number || c.match.version != c.version {
		s := c.state()
		f.buf = s.AppendHaystack(f.buf[:0], c.errno, f.netns)
		c.match = matchCache{f.find(f.buf), f.number, c.version}
	}
	for i := range f.terms {
		t := &f.terms[i]
		found := c.match.found&(1<<i) != 0 || t.verdict[c.shown] || t.kind[c.kind]
		if found == t.not {
			return false
		}
	}
	return true
}

// find returns a bit for each term that is found in a text in lower case.
func (f *filter) find(text []byte) (found uint64) {
	for i := range f.terms {
		if bytes.Contains(text, f.terms[i].text) {
			found |= 1 << i
		}
	}
	return found
}

// matchLine tells whether an event of the log is to be shown, whose text is in
// lower case.
func (f *filter) matchLine(text []byte) bool {
	found := f.find(text)
	for i := range f.terms {
		if found&(1<<i) != 0 == f.terms[i].not {
			return false
		}
	}
	return true
}
