// SPDX-License-Identifier: BSD-2-Clause

// Package report sums up what happened to connections, from recordings or while
// katrace traces: who died and of what, which peers were silent for how long, what
// is wrong with the settings, and what the recording does not hold. A Gatherer
// takes events in one pass and a bounded amount of memory; its Report is written
// as text, JSON or HTML.
package report

import (
	"time"

	"katrace/internal/advice"
	"katrace/internal/conn"
)

// SchemaVersion is the value of the key "v".
const SchemaVersion = 1

// Report is what happened. Its JSON is described by docs/report.schema.json.
type Report struct {
	V          int               `json:"v"`
	Recordings []Recording       `json:"recordings,omitempty"`
	Filters    Text              `json:"filters,omitempty"` // what the report was asked for, "--port 5432"; "": of all
	Late       int               `json:"late,omitempty"`    // events that came when later ones of other recordings had been counted
	Hosts      []Host            `json:"hosts"`
	From       Time              `json:"from,omitzero"`  // the first event
	Until      Time              `json:"until,omitzero"` // the last one
	Events     map[string]uint64 `json:"events"`         // by kind

	Incidents   []Incident  `json:"incidents"`
	Connections Connections `json:"connections"`
	Deaths      Deaths      `json:"deaths"`
	Silences    Silences    `json:"silences"`
	Recoveries  Silences    `json:"recoveries"`
	Ways        []Way       `json:"ways,omitempty"` // what the other sides saw of the probes of silences
	RoundTrips  *RoundTrips `json:"round_trips,omitempty"`
	Peers       []Party     `json:"peers"`  // those in trouble, worst first
	Owners      []Party     `json:"owners"` // the same
	Settings    []Settings  `json:"settings"`
	Hints       []Hint      `json:"hints"` // what else was seen of causes
	Lost        *Lost       `json:"lost,omitempty"`

	LeftOut LeftOut `json:"left_out,omitzero"`

	line timeline
	hung []*party // that the time line shows: programs that incidents are of, and peers, worst first
}

// Recording is one input.
type Recording struct {
	Name    Text `json:"name"`
	Damaged int  `json:"damaged,omitempty"` // lines that are skipped
	Unknown int  `json:"unknown,omitempty"` // lines with an event, by which they are skipped, or a word that is not known
	Back    int  `json:"back,omitempty"`    // events that are a second or more earlier than the one before
}

// Connections counts connections.
type Connections struct {
	Seen      uint64 `json:"seen"`      // with an event
	Died      uint64 `json:"died"`      // with an error that the application reads
	Silent    uint64 `json:"silent"`    // of which two probes or more were unanswered, at least once
	Recovered uint64 `json:"recovered"` // whose peer answered again, each time
	Now       uint64 `json:"silent_at_end"`
	Suspended uint64 `json:"suspended"` // episodes in which data was retransmitted, or the peer's window closed
	Probed    uint64 `json:"probed"`    // whose peer probes
}

// Deaths are the connections that ended with an error.
type Deaths struct {
	Causes []CauseCount `json:"causes"` // the commonest first
	First  []Death      `json:"first"`  // the first of all
}

// CauseCount is how many connections died of a cause.
type CauseCount struct {
	Cause       Cause             `json:"cause"`
	Connections uint64            `json:"connections"`
	Errnos      map[string]uint64 `json:"errnos,omitempty"`      // what the applications read
	Unreachable uint64            `json:"unreachable,omitempty"` // of these: an ICMP error, or a probe that did not leave, was reported
}

// Death is the end of one connection.
type Death struct {
	Time       Time       `json:"time"`
	Connection Connection `json:"connection"`
	Cause      Cause      `json:"cause"`
	Words      string     `json:"words"` // as in the text stream
}

// Silences are times in which a peer did not answer.
type Silences struct {
	Count   int       `json:"count"`
	Longest []Silence `json:"longest"`
}

// Silence is a time in which a peer did not answer: since it was last heard.
type Silence struct {
	Connection Connection  `json:"connection"`
	Since      Time        `json:"since"`
	Until      Time        `json:"until"`
	For        conn.Millis `json:"silent_for_ms"`
	Unanswered int         `json:"unanswered,omitempty"` // probes
	Outcome    Outcome     `json:"outcome"`
	Cause      Cause       `json:"cause,omitempty"` // on Died
	OtherSide  *OtherSide  `json:"other_side,omitempty"`
}

// RoundTrips is the distribution of the times from probe to answer.
type RoundTrips struct {
	Count      uint64   `json:"count"`
	Exact      uint64   `json:"exact"`       // of these; the others are known to a jiffy
	BelowJiffy uint64   `json:"below_jiffy"` // less than one, and not known exactly
	LeastUS    int64    `json:"min_us"`
	P50US      int64    `json:"p50_us"`
	P90US      int64    `json:"p90_us"`
	P99US      int64    `json:"p99_us"`
	MostUS     int64    `json:"max_us"`
	Columns    []Column `json:"columns"` // without those of BelowJiffy
}

// Column is one of a distribution: round trips above the bound before it.
type Column struct {
	UptoUS int64  `json:"upto_us,omitempty"` // 0: without a bound
	Count  uint64 `json:"count"`
}

// Party is a peer or an owner, and what happened to its connections.
type Party struct {
	Name        Text   `json:"name"`
	Connections uint64 `json:"connections"`
	Died        uint64 `json:"died"`
	Silences    uint64 `json:"silences"`
	Recovered   uint64 `json:"recovered"`
}

// Settings are keepalive settings that connections had.
type Settings struct {
	Connections uint64        `json:"connections"`
	Keepalive   keepaliveJSON `json:"keepalive"`
	Owners      []Text        `json:"owners,omitempty"` // some of them
	Advice      []advice.Item `json:"advice,omitempty"`
}

// Hint is something that was reported while peers were silent.
type Hint struct {
	Count uint64 `json:"count"`
	Words Text   `json:"words"`
}

// LeftOut counts what a report does not list, or does not hold, because it is
// bounded.
type LeftOut struct {
	Events    uint64 `json:"events,omitempty"` // of connections that were not followed
	Deaths    uint64 `json:"deaths,omitempty"` // beyond Deaths.First
	Incidents int    `json:"incidents,omitempty"`
	Peers     int    `json:"peers,omitempty"`
	Owners    int    `json:"owners,omitempty"`
	Settings  int    `json:"settings,omitempty"`
	Gaps      int    `json:"gaps,omitempty"`  // of all hosts
	Hosts     bool   `json:"hosts,omitempty"` // there are more than are listed
}

// Lost sums up what the recording says was lost.
type Lost struct {
	Records uint64 `json:"records"`
	LeftOut uint64 `json:"left_out,omitempty"` // events whose owner was not known, by a filter
	Words   string `json:"words"`
}

// Duration is how long the recording is.
func (r *Report) Duration() time.Duration { return r.Until.Sub(r.From.Time) }
