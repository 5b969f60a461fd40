// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"time"

	"katrace/internal/enum"
)

// Outcome is how a silence ended.
type Outcome uint8

// The outcomes.
const (
	Recovered Outcome = iota + 1 // the peer was heard again
	Died                         // the connection ended with an error
	Closed                       // it was closed without one
	Open                         // the recording ends before
	Unseen                       // its next event is missing: it was closed, or the event was lost
)

var outcomes = enum.Names[Outcome]{What: "outcome", Words: []string{Recovered: "recovered", Died: "died", Closed: "closed", Open: "open", Unseen: "unseen"}}

// String is the name in the JSON: "recovered".
func (o Outcome) String() string { return outcomes.Name(o) }

// MarshalText is String, for JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

var outcomeWords = [...]string{Recovered: "recovered", Died: "died", Closed: "closed", Open: "still silent", Unseen: "end not seen"}

// Words is the outcome in words.
func (o Outcome) Words() string { return outcomeWords[min(int(o), len(outcomeWords)-1)] }

// onItsWay is how late an event may be beyond its timer's slack, in milliseconds.
const onItsWay = 2000

// outcomeUnseen is that of a silence of which nothing more is heard at that time:
// it is still open if its timer may yet fire.
func outcomeUnseen(c *connection, at int64) Outcome {
	if c.due == none {
		return Open
	}
	slack := (c.due - c.last) / 8 // the kernel's timer wheel
	if at > c.due+slack+onItsWay+(100*time.Millisecond).Milliseconds() {
		return Unseen
	}
	return Open
}
