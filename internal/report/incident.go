// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"time"

	"katrace/internal/incident"
)

// Incident is many connections that failed together.
type Incident struct {
	Kind      string `json:"kind"`
	Scope     string `json:"scope"` // what the connections have in common
	Peer      string `json:"peer,omitempty"`
	Name      Text   `json:"name,omitempty"` // of the program, container or pod
	Peers     int    `json:"peers"`
	Affected  int    `json:"affected"`
	Of        int    `json:"of"`
	Silent    int    `json:"silent"`
	Recovered int    `json:"recovered"`
	Ended     int    `json:"ended"`
	Closed    int    `json:"closed"`
	Since     Time   `json:"since"`
	Until     Time   `json:"until,omitzero"` // absent: it goes on
	Words     string `json:"words"`
}

// incidents are those that were found, the first first. Times of that day are
// without a date.
func incidents(found []incident.Incident, day time.Time) []Incident {
	list := []Incident{}
	for _, i := range found {
		made := Incident{
			Kind: i.Kind.String(), Scope: i.Scope.Level.String(), Name: Text(i.Scope.Named()), Peers: i.Peers, Affected: i.Affected, Of: i.Of,
			Silent: i.Silent, Recovered: i.Recovered, Ended: i.Ended, Closed: i.Closed, Since: Time{i.Since}, Words: i.Sentence(day),
		}
		if !i.Lasts() {
			made.Until = Time{i.Until}
		}
		switch i.Scope.Level {
		case incident.Service:
			made.Peer = i.Scope.Addr.String()
		case incident.Peer:
			made.Peer = i.Scope.Addr.Addr().String()
		default: // has a name, or none
		}
		list = append(list, made)
	}
	return list
}

// Band is an incident, or a gap, in the time line.
type Band struct {
	Words string
	At    int // the first step of the time line
	Width int
}

// Bands are the incidents to be shown.
func (r *Report) Bands() (bands []Band) {
	for _, i := range r.Incidents[:min(len(r.Incidents), maxShown)] {
		until := r.Until
		if !i.Until.IsZero() {
			until = i.Until
		}
		bands = append(bands, r.band(i.Words, i.Since, until))
	}
	return bands
}

func (r *Report) band(words string, since, until Time) Band {
	at := r.line.bin(since.UnixMilli())
	return Band{words, at, max(1, r.line.bin(until.UnixMilli())-at+1)}
}
