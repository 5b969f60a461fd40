// SPDX-License-Identifier: BSD-2-Clause

// Package mirror joins the two ends of a connection, where both hosts were
// recorded: for a silence on one side it says whether the other side saw the probes
// come, and so in which direction the path loses segments.
//
// The ends are joined by their tuples, which mirror each other unless an address is
// translated on the way (NAT). Then nothing is joined.
package mirror

import (
	"net/netip"
	"slices"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/recording"
)

// Bounds of what is kept.
const (
	maxEnds  = 400_000 // some 300 bytes each
	maxSends = 16      // probes of a silence: the latest
	maxSeen  = 32      // probes that an end saw come: the latest
	maxAlike = 16      // ends with the same tuple: of other hosts and namespaces
	maxOpen  = 100_000 // silences that are over and not settled, some 500 bytes each
)

// settle is how much later the other host's lines about the same moment may come,
// and how far apart the two may be.
const settle = 5 * time.Second

// Join joins ends. Events are added in the order of time, of all hosts. Not safe for
// concurrent use.
type Join struct {
	// Done is called for each silence that is over, when all about it is known. nil:
	// nobody asks.
	Done func(Silence)

	cover recording.Coverage
	ends  map[tuple][]*end
	n     int
	lost  map[string]time.Time // when the host's latest records were lost that may have told of a probe
	open  []Silence            // over, and not settled

	latest   time.Time // of all events
	finished bool
}

// tuple is a connection as one end sees it, in whichever namespace.
type tuple struct{ local, remote netip.AddrPort }

// end is one end of a connection.
type end struct {
	id       conn.ID
	interval time.Duration

	sends  times // the probes of the latest silence, or the one that is out
	sent   int   // how many there were
	silent bool  // it goes on

	seen times // probes of the peer that came

	wanted bool // an event of it was given to Add

	ended   time.Time
	endKind events.Kind
	dropped time.Time // the latest segment from the peer that this host dropped
	reason  string    // why

	// blind: an answered probe of this end was not seen by the other one. So the
	// other recording does not show all that comes, or the clocks differ.
	blind bool
}

// times are the latest of some times, in nanoseconds since 1970.
type times struct {
	at   []int64
	most int
}

func (t *times) add(at time.Time) {
	if len(t.at) == t.most {
		t.at = append(t.at[:0], t.at[1:]...)
	}
	t.at = append(t.at, at.UnixNano())
}

// near says that there is a time that far from at, at the most.
func (t *times) near(at int64, within time.Duration) bool {
	return slices.ContainsFunc(t.at, func(have int64) bool { return time.Duration(have-at).Abs() <= within })
}

// Silence is a time in which the peer of a connection left probes unanswered.
type Silence struct {
	ID       conn.ID // of the end that sent them
	From, To time.Time
	Probes   int // that it sent
	Finding

	sends []int64
}

// New makes an empty Join.
func New() *Join {
	return &Join{ends: map[tuple][]*end{}, lost: map[string]time.Time{}}
}

// Add takes the next event.
func (j *Join) Add(e *events.Event) { j.add(e, true) }

// AddOther takes the next event, for what it tells of the other ends of those
// connections that Add gets events of: a filter leaves it out.
func (j *Join) AddOther(e *events.Event) { j.add(e, false) }

func (j *Join) add(e *events.Event, wanted bool) {
	j.cover.Add(e, "")
	if e.Time.After(j.latest) {
		j.latest = e.Time
	}
	for len(j.open) > 0 && (len(j.open) > maxOpen || j.settled(&j.open[0])) {
		j.settle()
	}
	if l := &e.Lost; l.Ring+l.Unknown+l.Skipped.Probed+l.Skipped.Dropped > 0 && j.cover.Host(e.Host) != nil {
		j.lost[e.Host] = e.Time
	}
	if e.Kind.OfTracing() || !e.Remote.IsValid() {
		return
	}
	d := j.end(e)
	if d == nil {
		return
	}
	d.wanted = d.wanted || wanted
	if e.Has&conn.HasKeepalive != 0 {
		d.interval = e.Keepalive.Interval
	}
	switch {
	case e.Kind == events.KindProbe:
		if e.Unanswered <= 1 && e.Has&conn.HasUnanswered != 0 {
			d.over()
		}
		if e.SendError == "" {
			d.sends.add(e.Time)
			d.sent++
			d.silent = true
		}
	case e.Kind == events.KindAnswer:
		if d.silent && d.sent == 1 {
			d.blind = !j.sawThere(d, d.sends.at[0])
		}
		j.silenceOver(d, e.Time)
	case e.Kind == events.KindProbed:
		d.seen.add(e.Time)
	case e.Kind == events.KindDropped && e.Drop.Direction == events.DirectionIn:
		d.dropped, d.reason = e.Time, e.Drop.Reason
		if e.Drop.Text != "" {
			d.reason = e.Drop.Text
		}
	case e.Kind.Ends(), e.Kind == events.KindClosed:
		d.ended, d.endKind = e.Time, e.Kind
		j.silenceOver(d, e.Time)
	}
}

// end is the one that the event is about, a new one if need be; nil: there is no
// room. An end that is over and has an event again is another connection's.
func (j *Join) end(e *events.Event) *end {
	t := tuple{e.Local, e.Remote}
	id := e.ID()
	for i, d := range j.ends[t] {
		if d.id != id {
			continue
		}
		if !d.ended.IsZero() && e.Time.After(d.ended) && !e.Kind.Ends() && e.Kind != events.KindClosed {
			j.ends[t][i] = newEnd(id)
		}
		return j.ends[t][i]
	}
	if j.n == maxEnds || len(j.ends[t]) == maxAlike {
		return nil
	}
	j.n++
	d := newEnd(id)
	j.ends[t] = append(j.ends[t], d)
	return d
}

func newEnd(id conn.ID) *end {
	return &end{id: id, sends: times{most: maxSends}, seen: times{most: maxSeen}}
}

// over forgets the silence.
func (d *end) over() { d.sends.at, d.sent, d.silent = d.sends.at[:0], 0, false }

// silenceOver keeps a silence of two probes or more until it is settled.
func (j *Join) silenceOver(d *end, at time.Time) {
	if d.silent && d.sent > 1 && d.wanted && j.Done != nil {
		s := Silence{ID: d.id, From: time.Unix(0, d.sends.at[0]).UTC(), To: at, Probes: d.sent, sends: slices.Clone(d.sends.at)}
		j.open = append(j.open, s)
	}
	d.silent = false
}

// told says that the other host's lines up to then are there: it told of something
// later, or is not going to.
func (j *Join) told(host string, until time.Time) bool {
	h := j.cover.Host(host)
	return j.finished || h == nil || !h.Last.Before(until) || j.latest.Sub(until) > recording.Silence
}

// settled says that all is known about a silence that is over.
func (j *Join) settled(s *Silence) bool {
	if j.latest.Sub(s.To) <= settle {
		return false
	}
	o := j.other(s.ID)
	return o == nil || j.told(o.id.Host, s.To)
}

func (j *Join) settle() {
	s := j.open[0]
	j.open = j.open[1:]
	if d := j.find(s.ID); d != nil {
		s.Finding = j.judge(d, s.sends)
	}
	j.Done(s)
}

// Finish is for when no more events come.
func (j *Join) Finish() {
	j.finished = true
	j.cover.Finish()
	for len(j.open) > 0 {
		j.settle()
	}
}

func (j *Join) find(id conn.ID) *end {
	for _, d := range j.ends[tuple{id.Local, id.Remote}] {
		if d.id == id {
			return d
		}
	}
	return nil
}

// other is the other end; nil: no recording has it, or more than one may be it.
func (j *Join) other(id conn.ID) *end {
	all := j.ends[tuple{id.Remote, id.Local}]
	if len(all) != 1 || all[0].id == id {
		return nil
	}
	return all[0]
}

// within is how far apart two hosts may tell of the same probe.
func (d *end) within() time.Duration {
	return min(max(d.interval/2, 250*time.Millisecond), settle)
}

func (j *Join) sawThere(d *end, at int64) bool {
	o := j.other(d.id)
	return o != nil && o.seen.near(at, d.within())
}
