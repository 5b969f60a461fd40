// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/conn"

	"github.com/charmbracelet/x/ansi"
)

// short writes the time to something that comes, in seconds at the finest:
// "0.4s", "4.2s", "52s", "2m5s". What is past is 0.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	case d < 10*time.Second:
		return conn.Span(d.Truncate(100 * time.Millisecond))
	}
	return age(d)
}

// age writes how long ago something was, in whole seconds: it does not flicker.
func age(d time.Duration) string { return conn.Span(max(d, 0).Truncate(time.Second)) }

// roundTrip writes a round trip: "84us", "3.1ms", "1.2s". One that is known to a
// jiffy only has a "~" before it, and may be less than that.
func roundTrip(d time.Duration, exact bool) string {
	switch {
	case exact:
		return conn.Span(d)
	case d <= 0:
		return "<jiffy"
	}
	return "~" + conn.Span(d)
}

// thousands is conn.Thousands.
func thousands[T int | uint64](n T) string { return conn.Thousands(int(n)) }

// count writes a number with its noun: "1 probe", "3 probes".
func count[T int | uint64 | uint32](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(uint64(n)) + " " + noun + "s"
}

// fit makes s exactly w cells wide: padded at its end, or cut with an
// ellipsis. s holds no escape sequences.
func (t *theme) fit(s string, w int) string {
	n := cells(s)
	if n > w {
		s = ansi.Truncate(s, w, t.glyph.ellipsis)
		n = cells(s)
	}
	if n < w {
		s += strings.Repeat(" ", w-n)
	}
	return s
}

// fitRight is fit for what stands at the right edge of its column.
func (t *theme) fitRight(s string, w int) string {
	if n := cells(s); n < w {
		return strings.Repeat(" ", w-n) + s
	}
	return t.fit(s, w)
}

// fitAddr is fit for an address with a port: the middle of the address is
// left out, its beginning and the port stay.
func (t *theme) fitAddr(s string, w int) string {
	return t.fitMiddle(s, w, strings.LastIndexByte(s, ':'), w/2)
}

// fitOwner is fit for an owner: the pid stays.
func (t *theme) fitOwner(s string, w int) string {
	if i := strings.LastIndex(s, "] ("); cells(s) > w && i >= 0 && strings.HasSuffix(s, ")") {
		s = s[:i+1] // how it is held goes first: the detail pane says it
	}
	return t.fitMiddle(s, w, strings.LastIndexByte(s, '['), 0)
}

// fitMiddle is fit for what has its end from byte tail on, and tailLeast cells
// at least, to be kept.
func (t *theme) fitMiddle(s string, w, tail, tailLeast int) string {
	if cells(s) <= w || w < 8 || tail < 0 {
		return t.fit(s, w)
	}
	end := s[tail:]
	if more := tailLeast - cells(end); more > 0 && plain(s) {
		end = s[max(0, tail-more):]
	}
	room := w - cells(end) - cells(t.glyph.ellipsis)
	if room < 1 {
		return t.fit(s, w)
	}
	return t.fit(ansi.Truncate(s, room, "")+t.glyph.ellipsis+end, w)
}
