// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"bytes"
	"strconv"
	"strings"

	"katrace/internal/events"
)

// filter is what the user typed: terms that all have to be found in a row, or
// not to be found where they begin with "!". A term is looked for, without
// regard to case, in the addresses and ports, the owner (process, pid, user,
// cgroup, container, pod) and the verdict.
type filter struct {
	text  string
	terms []term
	full  uint64 // one bit a term
	buf   []byte
}

type term struct {
	text    []byte
	not     bool
	verdict [numClasses]bool // the verdict's word holds the text
}

// maxTerms is the number of bits in a matchCache.
const maxTerms = 64

// matchCache holds which terms of a filter were found in what a connection
// keeps for life or nearly so, its addresses and owner: 100,000 connections
// are not to be written out on each tick.
type matchCache struct {
	filter *filter
	pid    int
	heldBy events.HeldBy
	found  uint64
}

// newFilter compiles what the user typed; nil means everything matches.
func newFilter(text string) *filter {
	f := &filter{text: text}
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
		f.full |= 1 << len(f.terms)
		f.terms = append(f.terms, t)
	}
	if len(f.terms) == 0 {
		return nil
	}
	return f
}

// match tells whether the connection is to be shown. The Store is locked.
func (f *filter) match(c *conn) bool {
	if c.match.filter != f || c.match.pid != c.process.PID || c.match.heldBy != c.heldBy {
		c.match = matchCache{f, c.process.PID, c.heldBy, f.find(&c.facts)}
	}
	for i := range f.terms {
		t := &f.terms[i]
		found := c.match.found&(1<<i) != 0 || t.verdict[c.shown]
		if found == t.not {
			return false
		}
	}
	return true
}

// find returns a bit for each term that is found in the addresses and the owner.
func (f *filter) find(c *facts) (found uint64) {
	b := f.buf[:0]
	b = c.conn.Local.AppendTo(b)
	b = append(b, ' ')
	b = c.conn.Remote.AppendTo(b)
	b = append(b, ' ')
	from := len(b)
	b = c.appendOwner(b) // as it is shown
	b = append(b[:from], bytes.ToLower(b[from:])...)
	if c.has&events.HasUID != 0 {
		b = append(b, " uid:"...)
		b = strconv.AppendUint(b, uint64(c.uid), 10)
	}
	b = append(b, ' ')
	b = append(b, strings.ToLower(c.cgroup)...)
	b = append(b, ' ')
	b = append(b, strings.ToLower(c.container)...)
	b = append(b, ' ')
	b = append(b, strings.ToLower(c.pod)...)
	f.buf = b
	for i := range f.terms {
		if bytes.Contains(b, f.terms[i].text) {
			found |= 1 << i
		}
	}
	return found
}

// matchLine tells whether a line of the log is to be shown.
func (f *filter) matchLine(line string) bool {
	line = strings.ToLower(line)
	for i := range f.terms {
		if strings.Contains(line, string(f.terms[i].text)) == f.terms[i].not {
			return false
		}
	}
	return true
}
