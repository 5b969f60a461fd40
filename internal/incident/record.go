// SPDX-License-Identifier: BSD-2-Clause

package incident

import (
	"net/netip"
	"slices"
	"time"
)

// record is an incident as it is put together.
type record struct {
	kind     Kind
	scopes   map[Scope]bool // of one scope, or of those that were merged
	level    Level
	from, by nanos // the moment lies between
	since    nanos
	heard    nanos
	last     nanos // of the latest recovery or end
	back     nanos // of the first recovery; 0: none so far
	into     *record
	peers    map[netip.Addr]struct{}

	of, affected, silent, recovered, ended, closed int
}

func newRecord(s Scope, c explained) *record {
	return &record{kind: s.kind, scopes: map[Scope]bool{s: true}, level: s.Level, from: c.from, by: c.by, peers: map[netip.Addr]struct{}{}}
}

// root is the record that this one was merged into, or itself.
func (r *record) root() *record {
	for r.into != nil {
		r = r.into
	}
	return r
}

// explains says whether the failure is of the incident: in its scope, and of its
// moment.
func (r *record) explains(f *Failure) bool {
	return r.kind == f.kind && r.reaches(f) && max(r.from, f.from) <= min(r.by, f.by) && !r.relapsed(f.since)
}

// relapsed says that what fails since then may have been of the incident, and have
// recovered: it is not counted twice.
func (r *record) relapsed(since nanos) bool { return r.back != 0 && since >= r.back }

func (r *record) reaches(f *Failure) bool {
	return slices.ContainsFunc(f.scopes[:], func(s Scope) bool { return r.scopes[s] })
}

// take takes a failure in.
func (r *record) take(f *Failure) {
	f.in = r
	if r.affected == 0 || f.since < r.since {
		r.since = f.since
	}
	r.heard = max(r.heard, f.since)
	r.from, r.by = max(r.from, f.from), min(r.by, f.by)
	r.peers[f.scopes[1].Addr.Addr()] = struct{}{}
	r.affected++
	r.of = max(r.of, r.affected)
	if f.ended {
		r.ended++
		r.last = max(r.last, f.by)
	} else {
		r.silent++
	}
}

func (r *record) recover(at nanos) {
	r.silent, r.recovered, r.last = r.silent-1, r.recovered+1, max(r.last, at)
	if r.back == 0 || at < r.back {
		r.back = at
	}
}

func (r *record) end(at nanos) { r.silent, r.ended, r.last = r.silent-1, r.ended+1, max(r.last, at) }
func (r *record) close(at nanos) {
	r.silent, r.closed, r.last = r.silent-1, r.closed+1, max(r.last, at)
}

// merge makes one incident of several: of those of one peer, and of three or more
// that one moment explains.
func (w *Watch) merge() {
	for i := 0; i < len(w.records); i++ {
		r := w.records[i]
		var same, like []*record
		for _, o := range w.records[i+1:] {
			if o.kind != r.kind || max(r.from, o.from) > min(r.by, o.by) || r.relapsed(o.since) || o.relapsed(r.since) {
				continue
			}
			like = append(like, o)
			if len(r.peers) == 1 && len(o.peers) == 1 && r.onePeer() == o.onePeer() {
				same = append(same, o)
			}
		}
		switch {
		case len(like) >= 2 || len(like) == 1 && (r.level == Many || like[0].level == Many):
			r.level = Many
		case len(same) > 0:
			r.level, like = Peer, same
		default:
			continue
		}
		for _, o := range like {
			r.absorb(o)
		}
		w.records = slices.DeleteFunc(w.records, func(o *record) bool { return o.into != nil })
		i = -1 // it may reach others now
	}
}

func (r *record) onePeer() (a netip.Addr) {
	for a = range r.peers {
		break
	}
	return a
}

// absorb takes another record in.
func (r *record) absorb(o *record) {
	o.into = r
	for s := range o.scopes {
		r.scopes[s] = true
	}
	for a := range o.peers {
		r.peers[a] = struct{}{}
	}
	o.scopes, o.peers = nil, nil
	r.since, r.heard = min(r.since, o.since), max(r.heard, o.heard)
	r.from, r.by = max(r.from, o.from), min(r.by, o.by)
	r.last = max(r.last, o.last)
	if r.back == 0 || o.back != 0 && o.back < r.back {
		r.back = o.back
	}
	r.of += o.of
	r.affected += o.affected
	r.silent += o.silent
	r.recovered += o.recovered
	r.ended += o.ended
	r.closed += o.closed
}

// incident is the record as it is shown.
func (r *record) incident() Incident {
	i := Incident{Kind: r.kind, Scope: Scope{Level: r.level}, Peers: len(r.peers), Affected: r.affected, Of: r.of,
		Silent: r.silent, Recovered: r.recovered, Ended: r.ended, Closed: r.closed, Since: at(r.since), Heard: at(r.heard)}
	for s := range r.scopes {
		if s.Level == r.level {
			i.Scope = s
			i.Scope.kind = 0
		}
	}
	if r.level == Peer {
		i.Scope.Addr = netip.AddrPortFrom(r.onePeer(), 0)
	}
	if r.silent == 0 {
		i.Until = at(r.last)
	}
	return i
}

func at(n nanos) time.Time { return time.Unix(0, n).UTC() }
