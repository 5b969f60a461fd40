// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"encoding/json"
	"io"
	"time"

	"katrace/internal/conn"
)

// WriteJSON writes the report as one JSON object, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Text is a string from outside. In JSON all is escaped that a terminal would
// act on.
type Text string

// MarshalJSON is for encoding/json.
func (t Text) MarshalJSON() ([]byte, error) { return conn.AppendString(nil, string(t)), nil }

// Safe is the text as it can be shown.
func (t Text) Safe() string { return conn.Safe(string(t)) }

// Time is a time of an event.
type Time struct{ time.Time }

// The years that JSON can hold, in milliseconds since 1970.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMilli()
)

func timeOf(ms int64) Time { return Time{time.UnixMilli(min(max(ms, earliest), latest)).UTC()} }

// MarshalJSON writes it to a millisecond.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// Compare is for sorting.
func (t Time) Compare(other time.Time) int { return t.Time.Compare(other) }

// Connection is which one, and whose.
type Connection struct{ conn.State }

// MarshalJSON writes the keys of the stream.
func (c Connection) MarshalJSON() ([]byte, error) {
	keys := c.AppendKeys(conn.AppendText(nil, "host", c.Host))
	if len(keys) == 0 {
		return []byte("{}"), nil
	}
	keys[0] = '{' // instead of the comma
	return append(keys, '}'), nil
}

// Tuple is "10.0.0.1:5432 > 10.0.0.9:40122", with its host before it where that is
// known.
func (c Connection) Tuple() string {
	var dst []byte
	if c.Host != "" {
		dst = append(conn.AppendSafe(nil, c.Host), ' ')
	}
	return string(c.Remote.AppendTo(append(c.Local.AppendTo(dst), " > "...)))
}

// OwnerWords is who holds it, safe for a terminal.
func (c Connection) OwnerWords() string {
	words := c.AppendOwner(nil)
	if in := c.AppendContainer(nil); len(in) > 0 {
		words = append(append(words, ' '), in...)
	}
	return string(words)
}

type keepaliveJSON struct{ conn.Settings }

// MarshalJSON writes the keys of the stream.
func (k keepaliveJSON) MarshalJSON() ([]byte, error) {
	return append(k.AppendKeys([]byte("{")), '}'), nil
}
