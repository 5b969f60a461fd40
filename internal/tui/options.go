// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"katrace/internal/events"
	"katrace/internal/jiffies"
)

// Options say what the view cannot learn from events. The zero value works.
type Options struct {
	Backend string   // "kprobe", "fentry", "tracepoint"; empty in a replay
	Lacks   []string // what the backend cannot know, in words
	Hidden  []string // what cannot be seen from inside a container, in words
	Kernel  string   // the kernel's release
	Source  string   // "live" or the recording's name; empty: live
	Filter  string   // the command line's filter as it was given, "--port 5433"; empty: none

	// Recording says that the events come from one: the header then has its span
	// in clock times, and not for how long the view has been running.
	Recording bool

	// Hosts says that several recordings are merged: the two ends of a connection are
	// joined where both are there.
	Hosts bool

	// HZ is the tick rate of the kernel that the events come from: how late its
	// timers may be follows from it. 0: not known, as in a replay, whose recording
	// may come from any host; then the latest that any kernel's may be.
	HZ jiffies.HZ

	NoColor bool // no colours; NO_COLOR in the environment does the same
	ASCII   bool // no characters beyond ASCII; so does a locale that is not UTF-8

	// Now is the clock that countdowns run against: nil means time.Now, a
	// replay gives the recording's clock.
	Now func() time.Time

	// NetnsName is a network namespace's name by its inode number, "" where it has
	// none; nil: none has. It is called often and must not block.
	NetnsName func(inode uint32) string

	// ListedJSON appends a connection that a listing alone shows, which no event
	// stands for, as one line of JSON for copying: e has no Kind. nil:
	// events.AppendJSON.
	ListedJSON func(dst []byte, e *events.Event) []byte
	// Notice is asked on each tick for a sentence that is a caveat when it is not
	// empty ("3 damaged lines skipped"). It must not block.
	Notice func() string

	MaxConns  int // live connections kept of which events came; 0: 200,000
	MaxListed int // connections kept that a listing alone shows; 0: 100,000
	MaxEnded  int // ended connections kept until dismissed; 0: 10,000
	MaxLog    int // events kept for the log pane; 0: 2,000

	// Untold says that the Store is there for its Summary alone: it keeps no log, and
	// no connection's story.
	Untold bool
}

// Bounds of what the Store holds where Options say nothing.
const (
	MaxListed       = 100_000
	defaultMaxConns = 200_000
	defaultMaxEnded = 10_000
	defaultMaxLog   = 2_000
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Source == "" {
		o.Source = "live"
	}
	if o.ListedJSON == nil {
		o.ListedJSON = events.AppendJSON
	}
	for _, bound := range [...]struct {
		of   *int
		most int
	}{{&o.MaxConns, defaultMaxConns}, {&o.MaxListed, MaxListed}, {&o.MaxEnded, defaultMaxEnded}, {&o.MaxLog, defaultMaxLog}} {
		if *bound.of <= 0 {
			*bound.of = bound.most
		}
	}
	return o
}
