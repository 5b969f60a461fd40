// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"cmp"
	"slices"

	"katrace/internal/conn"
	"katrace/internal/mirror"
)

// OtherSide is what the other end of a connection says of a silence.
type OtherSide struct {
	Seen    string `json:"seen"`
	Host    Text   `json:"host,omitempty"`
	Sent    int    `json:"sent"`    // probes that are compared
	Arrived int    `json:"arrived"` // of these
	Words   string `json:"words"`
}

// Way is how many silences have the same to be said of by the other side.
type Way struct {
	Seen     string `json:"seen"`
	Host     Text   `json:"host,omitempty"` // the other side
	Silences int    `json:"silences"`
}

type way struct {
	seen mirror.Seen
	host string
}

// maxWays bounds the other sides that are told apart.
const maxWays = 256

// joined takes what is found out of a silence that is over.
func (g *Gatherer) joined(s mirror.Silence) {
	found := g.found(s.Finding)
	for _, list := range []byLength{g.silences.list, g.recoveries.list} {
		for i := range list {
			one := &list[i]
			if one.Connection.ID() == s.ID && !one.Until.Before(s.From) && !one.Since.After(s.To) {
				one.OtherSide = found
			}
		}
	}
}

// joinOpen finds out what is known of the silences that go on.
func (g *Gatherer) joinOpen() {
	list := g.silences.list
	for i := range list {
		if one := &list[i]; one.Outcome == Open {
			if f, ok := g.join.Silence(one.Connection.ID()); ok {
				one.OtherSide = g.found(f)
			}
		}
	}
}

func (g *Gatherer) found(f mirror.Finding) *OtherSide {
	key := way{f.Seen, f.Other.Host}
	if _, ok := g.ways[key]; !ok && len(g.ways) >= maxWays {
		key.host = ""
	}
	if g.ways == nil {
		g.ways = map[way]int{}
	}
	g.ways[key]++
	return &OtherSide{Seen: f.Seen.String(), Host: Text(f.Other.Host), Sent: f.Sent, Arrived: f.Arrived, Words: f.Words()}
}

func (g *Gatherer) waysSeen() (list []Way) {
	for w, n := range g.ways {
		list = append(list, Way{w.seen.String(), Text(w.host), n})
	}
	slices.SortFunc(list, func(a, b Way) int {
		return cmp.Or(-cmp.Compare(a.Silences, b.Silences), cmp.Compare(a.Seen, b.Seen), cmp.Compare(a.Host, b.Host))
	})
	return list
}

var wayWords = map[string]string{
	mirror.SeenAll.String():        "saw all probes come: the answers get lost on the way back",
	mirror.SeenSome.String():       "saw some of the probes come: the path loses some",
	mirror.SeenNone.String():       "saw none of the probes come: they get lost on the way there",
	mirror.SeenDropped.String():    "dropped the probes that came",
	mirror.SeenEnded.String():      "had ended the connection before",
	mirror.SeenUnrecorded.String(): "was not recorded then: it cannot be told whether the probes came",
	mirror.SeenUnknown.String():    "does not show whether the probes came",
	mirror.SeenNoEnd.String():      "is in no recording, or nothing about it was recorded",
}

// Words are the way in words.
func (w Way) Words() string {
	host := "the other side"
	if w.Host != "" {
		host = conn.Safe(string(w.Host))
	}
	return host + " " + wayWords[w.Seen]
}
