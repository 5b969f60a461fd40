// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"net/netip"
	"strconv"
	"time"

	"katrace/internal/events"
)

// owner says who holds the connection's socket, as the text stream does:
// "postgres[812]", "postgres[812] (not accepted yet)", "uid 105", "-".
func (t *theme) owner(f *facts) string {
	return sanitize(string(f.appendOwner(nil)), t.ascii)
}

// addrWords is an address; "-" where a recording has none.
func addrWords(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// container is what people call the container, or the beginning of its id; "" for none.
func (t *theme) container(f *facts) string {
	return sanitize(string(f.AppendContainer(nil)), t.ascii)
}

// containerIn leaves a pod's namespace out where there is no room for both.
func (t *theme) containerIn(f *facts, width int) string {
	if s := t.container(f); f.PodName == "" || cells(s) <= width {
		return s
	}
	return sanitize(f.PodName, t.ascii)
}

// netns is the network namespace's name, or its number where it has none.
func (t *theme) netns(inum uint32) string {
	if t.netnsName != nil {
		if name := t.netnsName(inum); name != "" {
			return sanitize(name, t.ascii)
		}
	}
	return strconv.FormatUint(uint64(inum), 10)
}

// words says in the text stream's words what a record of the story of f
// stands for.
func (t *theme) words(f *facts, r record, n note) string {
	e := r.event(f, n)
	return sanitize(string(events.AppendWords(nil, &e)), t.ascii)
}

// lastHeard is how long ago a peer that is called alive was heard, " 12s": a
// connection that was cut since looks the same until the next probe.
func lastHeard(f *facts, now nanos) string {
	if f.class() != classAlive || f.heard == 0 {
		return ""
	}
	return " " + age(time.Duration(now-f.heard))
}

// lastEvent is the kind of the latest event and its age: "probe 3s". Where none
// came it is the age of what is known.
func lastEvent(f *facts, now nanos) string {
	if !f.seen {
		return "listed " + age(time.Duration(now-f.listed))
	}
	return f.kind.String() + " " + age(time.Duration(now-f.last))
}
