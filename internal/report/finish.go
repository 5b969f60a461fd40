// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"cmp"
	"slices"
	"time"

	"katrace/internal/events"
	"katrace/internal/incident"
)

// How many of each a report lists.
const (
	maxListed    = 50 // peers, owners, settings and hints
	maxIncidents = 100
)

// Report is what was gathered. The Gatherer takes no more events after it.
func (g *Gatherer) Report() *Report {
	g.watch.Look(timeOf(g.until).Time, g.well)
	g.conns.all(func(c *connection) bool {
		if c.since == none {
			return true
		}
		o, until := outcomeUnseen(c, g.until), c.last
		if o == Open {
			until = g.until
			g.counts.Now++
		}
		g.silence(c, until, o, 0)
		return true
	})
	if g.join != nil {
		g.join.Finish()
		g.joinOpen()
	}
	r := &Report{
		V: SchemaVersion, Hosts: []Host{}, Events: map[string]uint64{}, Connections: g.counts,
		Deaths:     Deaths{g.causeCounts(), append([]Death{}, g.deaths...)},
		Silences:   Silences{g.silences.all, g.silences.longest()},
		Recoveries: Silences{g.recoveries.all, g.recoveries.longest()},
		Ways:       g.waysSeen(),
		RoundTrips: g.roundTrips(),
		Hints:      []Hint{},
		LeftOut:    LeftOut{Events: g.beyond, Deaths: g.deathsMore},
		line:       g.line,
	}
	if g.started {
		r.From, r.Until = timeOf(g.first), timeOf(g.until)
	}
	for k, n := range g.kinds {
		if n > 0 {
			r.Events[events.Kind(k).String()] = n
		}
	}
	peers, owners := g.peers.inTrouble(), g.owners.inTrouble()
	r.Peers, r.LeftOut.Peers = first(partiesOf(peers), maxListed)
	r.Owners, r.LeftOut.Owners = first(partiesOf(owners), maxListed)
	r.Settings, r.LeftOut.Settings = first(g.settings.list(g.isProgram), maxListed)
	r.Incidents, r.LeftOut.Incidents = first(incidents(g.watch.All(), r.clock().day), maxIncidents)
	r.hung = append(blamed(owners, r.Incidents), peers...)
	words, _ := first(g.hints.commonest(), maxListed)
	for _, words := range words {
		r.Hints = append(r.Hints, Hint{g.hints.n[words], Text(words)})
	}
	if l := &g.lost; l.Lost.Total() > 0 || l.LeftOut > 0 {
		l.Kind = events.KindLost
		r.Lost = &Lost{Records: l.Lost.Total(), LeftOut: l.LeftOut, Words: string(events.AppendWords(nil, l))}
	}
	return r
}

// blamed are the programs that incidents are of.
func blamed(owners []*party, of []Incident) (list []*party) {
	for _, p := range owners {
		if slices.ContainsFunc(of, func(i Incident) bool { return i.Scope == incident.Process.String() && i.Name == p.Name }) {
			list = append(list, p)
		}
	}
	return list
}

// first are the first of a list, and how many more there are.
func first[T any](list []T, most int) ([]T, int) {
	n := min(len(list), most)
	return list[:n], len(list) - n
}

func partiesOf(all []*party) []Party {
	list := []Party{}
	for _, p := range all {
		list = append(list, p.Party)
	}
	return list
}

func (g *Gatherer) causeCounts() []CauseCount {
	list := []CauseCount{}
	for c := range g.causes {
		if n := &g.causes[c]; n.n > 0 {
			list = append(list, CauseCount{Cause(c), n.n, n.errnos.n, n.unreachable})
		}
	}
	slices.SortStableFunc(list, func(a, b CauseCount) int { return -cmp.Compare(a.Connections, b.Connections) })
	return list
}

func (g *Gatherer) roundTrips() *RoundTrips {
	d := &g.rtts
	if d.count == 0 {
		return nil
	}
	us := func(t time.Duration) int64 { return t.Microseconds() }
	r := &RoundTrips{
		Count: d.count, Exact: d.exact, BelowJiffy: d.belowJiffy, LeastUS: us(d.least), MostUS: us(d.most),
		P50US: us(d.quantile(0.5)), P90US: us(d.quantile(0.9)), P99US: us(d.quantile(0.99)), Columns: []Column{},
	}
	first, last := len(d.coarse), -1
	for i, n := range d.coarse {
		if n > 0 {
			first, last = min(first, i), i
		}
	}
	for i := first; i <= last; i++ {
		c := Column{Count: d.coarse[i]}
		if i < len(steps) {
			c.UptoUS = us(steps[i])
		}
		r.Columns = append(r.Columns, c)
	}
	return r
}
