// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strconv"
	"time"

	"katrace/internal/events"
)

// owner names the process that holds the connection's socket, or else its
// user, as the text stream does: "postgres[812]", "uid 105", "-".
func (t *theme) owner(f *facts) string {
	switch {
	case f.process.PID != 0:
		return sanitize(f.process.Comm, t.ascii) + "[" + strconv.Itoa(f.process.PID) + "]"
	case f.has&events.HasUID != 0:
		return "uid " + strconv.FormatUint(uint64(f.uid), 10)
	}
	return "-"
}

// words says in the text stream's words what a record of the story of f
// stands for.
func (t *theme) words(f *facts, r record, n note) string {
	e := r.event(f, n)
	return sanitize(string(events.AppendWords(nil, &e)), t.ascii)
}

// lastEvent is the kind of the latest event and its age: "probe 3s". Where none
// came it is the age of what is known.
func lastEvent(f *facts, now nanos) string {
	if !f.seen {
		return "listed " + age(time.Duration(now-f.listed))
	}
	return f.kind.String() + " " + age(time.Duration(now-f.last))
}
