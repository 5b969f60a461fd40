// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"katrace/internal/conn"
)

// How few connections are many: fewer are shown row by row. Those that have nothing
// but their host in common have to be more.
const (
	Least    = 5
	leastAll = 10
)

// How long it takes to see whether connections that were reset are made anew: where
// sockets are listed some seconds, else until their first probe.
const (
	settles     = 15 * time.Second
	settlesMost = 3 * time.Minute
)

// freshFor is for how long after its latest failure an incident is found. That most
// fail later on because the others have gone is none.
const freshFor = 5 * time.Minute

// A scope is tried again when more of it fail, by an eighth, and every so often:
// the others may have become fewer. Resets settle meanwhile.
const (
	triedEvery       = 30 * time.Second
	resetsTriedEvery = 5 * time.Second
)

// pile is how many of a scope fail.
type pile struct {
	n      int
	listed bool  // in Watch.full
	tried  int   // n when the scope was last tried
	at     nanos // when that was; 0: never
	well   int   // how many did not fail then
}

// ready lists the scopes to be tried, the narrowest first.
func (w *Watch) ready() (scopes []Scope) {
	full := w.full[:0]
	for _, s := range w.full {
		p := w.piles[s]
		if p == nil {
			continue
		}
		if p.n < Least {
			p.listed = false
			continue
		}
		full = append(full, s)
		every := triedEvery
		if s.kind == Resets {
			every = resetsTriedEvery
		}
		if since := w.looked - p.at; since >= int64(every) || since < 0 || p.grown(s) {
			scopes = append(scopes, s)
		}
	}
	clear(w.full[len(full):])
	w.full = full
	slices.SortStableFunc(scopes, func(a, b Scope) int { return int(a.Level) - int(b.Level) })
	return scopes
}

// grown says that more of the scope fail than when it was last tried, and may be
// enough by now: they were well then.
func (p *pile) grown(s Scope) bool {
	return p.n > p.tried+p.tried/8 && s.enough(p.n, (p.well-(p.n-p.tried))*9/10)
}

// count counts the connections of the scopes that are well.
func (w *Watch) count(scopes []Scope, others iter.Seq[*conn.State]) {
	services, peers, owners, all := map[netip.AddrPort]int{}, map[netip.Addr]int{}, map[Scope]int{}, 0
	for _, s := range scopes {
		switch s.Level {
		case Service:
			services[s.Addr] = 0
		case Peer:
			peers[s.Addr.Addr()] = 0
		case Process, Container, Pod:
			owners[s.of(0)] = 0
		case Many, All:
		}
	}
	for c := range others {
		all++
		tally(services, c.Remote)
		tally(peers, c.Remote.Addr())
		if len(owners) > 0 {
			tally(owners, OwnerScope(&c.Owner))
		}
	}
	for _, s := range scopes {
		p := w.piles[s]
		if p == nil {
			continue // it was emptied meanwhile
		}
		p.tried, p.at = p.n, w.looked
		switch s.Level {
		case Service:
			p.well = services[s.Addr]
		case Peer:
			p.well = peers[s.Addr.Addr()]
		case Process, Container, Pod:
			p.well = owners[s.of(0)]
		case Many, All:
			p.well = all
		}
	}
}

// tally counts one of what is to be counted.
func tally[K comparable](of map[K]int, k K) {
	if len(of) == 0 {
		return
	}
	if n, ok := of[k]; ok {
		of[k] = n + 1
	}
}

// enough says whether so many that fail are an incident beside so many that are well.
func (s Scope) enough(fail, well int) bool {
	least := Least
	if s.Level == All {
		least = leastAll
	}
	if s.kind == Resets {
		well *= 3
	}
	return fail >= least && fail > well
}

// declare makes incidents of the scopes in which enough fail together.
func (w *Watch) declare(scopes []Scope) {
	members := w.gather(scopes)
	for _, s := range scopes {
		p := w.piles[s]
		if p == nil || !s.enough(p.n, p.well) || s.Level == Service && w.wholePeer(s, p) {
			continue
		}
		all := slices.DeleteFunc(members[s], func(f *Failure) bool { return f.gone || f.in != nil })
		c := cluster(all)
		others := p.well
		if s.kind == Resets { // one after another
			others += len(all) - len(c.of)
		}
		if w.looked-c.last > int64(freshFor) || !s.enough(c.tells(s), others) || s.kind == Resets && w.looked < c.last+int64(w.settles(&c)) {
			continue
		}
		r := newRecord(s, c)
		for _, f := range c.of {
			w.give(f, r)
		}
		r.of += p.well
		for _, f := range all { // those that fail for another reason
			if f.in == nil && !f.ended {
				r.of++
			}
		}
		w.records = append(w.records, r)
	}
}

// settles is how long after the last reset it is seen whether connections are made anew.
func (w *Watch) settles(c *explained) time.Duration {
	if w.Listed {
		return settles
	}
	return min(max(settles, c.idle+2*late), settlesMost)
}

// wholePeer says that all that is known of the service's peer is this service: the
// peer is then what is to be named.
func (w *Watch) wholePeer(s Scope, p *pile) bool {
	s.Level, s.Addr = Peer, netip.AddrPortFrom(s.Addr.Addr(), 0)
	peer := w.piles[s]
	return peer != nil && peer.well <= p.well
}

// gather sorts the failures by the scopes.
func (w *Watch) gather(scopes []Scope) map[Scope][]*Failure {
	members := make(map[Scope][]*Failure, len(scopes))
	for _, s := range scopes {
		members[s] = nil
	}
	for _, f := range w.failing {
		if f.gone || f.in != nil {
			continue
		}
		for _, s := range f.scopes {
			if list, ok := members[s]; ok {
				members[s] = append(list, f)
			}
		}
	}
	return members
}
