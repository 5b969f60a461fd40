// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"cmp"
	"net/netip"
	"strings"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
	"katrace/internal/incident"
	"katrace/internal/mirror"
)

// How many of each the report holds.
const (
	maxDeaths   = 100
	maxSilences = 20
)

// Gatherer sums up events as they come, in the order of their time. It is an
// events.Sink. Whatever it is given, its memory is bounded: see
// MaxConnections, maxParties and maxLanes. With names of the usual length that is
// some 200 MB.
type Gatherer struct {
	started      bool
	first, until int64 // ms since 1970
	kinds        [events.KindSuppressed + 1]uint64

	conns  *connections
	peers  parties[netip.Addr]
	owners parties[string]
	line   timeline
	watch  *incident.Watch
	lent   events.Event
	join   *mirror.Join // nil: nothing is joined
	ways   map[way]int

	counts     Connections
	causes     [CauseUnknown + 1]causeCount
	deaths     []Death
	deathsMore uint64
	silences   top
	recoveries top
	rtts       distribution
	settings   settingsSeen
	hints      counts
	lost       events.Event
	beyond     uint64 // events of connections that are not followed
}

type causeCount struct {
	n, unreachable uint64
	errnos         counts
}

// Options of a Gatherer. The zero value works.
type Options struct {
	// Join joins the two ends of connections: the events are of several hosts. It
	// takes up to 120 MB more.
	Join bool

	most int // connections to be followed; 0: MaxConnections
}

// NewGatherer makes a Gatherer.
func NewGatherer(opt Options) *Gatherer {
	most := cmp.Or(opt.most, MaxConnections)
	g := &Gatherer{conns: newConnections(most), watch: incident.New(), silences: top{most: maxSilences}, recoveries: top{most: maxSilences}}
	if opt.Join {
		g.join = mirror.New()
		g.join.Done = g.joined
	}
	return g
}

// Flush is of events.Sink.
func (g *Gatherer) Flush() error { return nil }

// Event takes one event. It never fails.
func (g *Gatherer) Event(e *events.Event) error {
	at := e.Time.UnixMilli()
	if !g.started {
		g.started, g.first, g.until = true, at, at
		g.line.start(at)
	}
	g.until = max(g.until, at)
	g.line.reach(g.until)
	g.kinds[min(e.Kind, events.KindSuppressed)]++
	if g.join != nil {
		defer g.join.Add(e) // when the silence that it ends is counted
	}
	if e.Kind == events.KindLost {
		g.lost.Lost = g.lost.Lost.Plus(e.Lost)
		g.lost.LeftOut += e.LeftOut
	}
	if e.Kind == events.KindSet { // what it made of the connection, the next event tells
		g.hints.add(string(events.AppendWords(nil, e)))
		return nil
	}
	if e.Kind.OfTracing() {
		return nil
	}
	c := g.follow(e, at)
	if c == nil {
		g.beyond++
		g.untold(e, at)
		return nil
	}
	g.watchFor(c, e)
	g.take(c, e, at)
	if g.watch.Due(e.Time) {
		g.watch.Look(e.Time, g.well)
	}
	return nil
}

// Other takes an event that the filters leave out: it may tell of the other end of
// a connection that they let through.
func (g *Gatherer) Other(e *events.Event) {
	if g.join != nil {
		g.join.AddOther(e)
	}
}

// watchFor lets the event be looked at for incidents, with the owner that is known.
func (g *Gatherer) watchFor(c *connection, e *events.Event) {
	if e.Owner != c.Owner {
		g.lent = *e
		g.lent.Owner = c.Owner
		e = &g.lent
	}
	c.failure = g.watch.Event(c.failure, e, c.known)
}

// well are the connections that do not fail.
func (g *Gatherer) well(yield func(*conn.State) bool) {
	g.conns.all(func(c *connection) bool { return c.failure != nil || yield(&c.State) })
}

// follow is the event's connection, nil where too many are followed.
func (g *Gatherer) follow(e *events.Event, at int64) *connection {
	c := g.conns.find(e.ID())
	if c != nil && c.Inode != 0 && e.Inode != 0 && c.Inode != e.Inode {
		g.leave(c, Unseen) // another one with the same addresses
		c = nil
	}
	if c == nil {
		gone, full := g.conns.forgettable(at)
		if full {
			return nil
		}
		if gone != nil {
			g.leave(gone, Unseen)
		}
		c = g.conns.add(e.ID(), at)
		c.Host, c.Netns, c.Local, c.Remote = strings.Clone(e.Host), e.Netns, e.Local, e.Remote
		c.peer = g.peers.of(e.Remote.Addr(), func() string { return e.Remote.Addr().String() })
		c.known = e.Time
		c.peer.Connections++
		g.counts.Seen++
	}
	c.last = at
	if c.Merge(&e.State) || c.owner == nil {
		g.own(c)
	}
	// A socket that is probed has settings as well, whether or not its own keepalive is on.
	if e.Kind != events.KindProbed && c.Has&conn.HasKeepalive != 0 && (c.settings == nil || c.settings.Settings != c.Keepalive) {
		if s := g.settings.of(c.Keepalive); c.settings != s {
			c.settings = s
			s.connections++
			s.owners.add(string(c.owner.Name))
		}
	}
	return c
}

// own counts the connection as its owner's, who may be known only now.
func (g *Gatherer) own(c *connection) {
	name := ownerName(&c.State)
	owner := g.owners.of(name, func() string { return name })
	owner.program = owner.program || c.Process.Comm != "" && c.Process.Comm == name
	if c.owner == owner {
		return
	}
	owner.Connections++
	if c.owner != nil {
		c.owner.Connections--
		if c.settings != nil {
			c.settings.owners.move(string(c.owner.Name), string(owner.Name))
		}
	}
	c.owner = owner
}

// isProgram says that the owner is a process of that name.
func (g *Gatherer) isProgram(owner string) bool {
	p := g.owners.named[owner]
	return p != nil && p.program
}

// ownerName is that of the program, or who else holds the socket.
func ownerName(s *conn.State) string {
	if name := group.Holder(&s.Owner).String(); name != "" {
		return strings.Clone(name)
	}
	return string(s.AppendOwner(nil))
}

// take takes what happened to a connection.
func (g *Gatherer) take(c *connection, e *events.Event, at int64) {
	if e.Has&conn.HasNext != 0 {
		c.due = at + e.Next.Milliseconds()
	}
	heard := int64(none)
	if e.Has&conn.HasIdleFor != 0 {
		heard = at - max(0, e.IdleFor.Milliseconds())
	}
	if e.Kind.Ends() {
		g.died(c, e, at, heard)
		return
	}
	switch e.Kind {
	case events.KindProbe:
		if c.since != none && e.Verdict != events.VerdictSilent && e.Verdict != events.VerdictUnreachable && e.Verdict != events.VerdictCongested {
			g.recovered(c, heard) // the answer is missing
		}
	case events.KindAnswer:
		if e.Has&events.HasRTT != 0 {
			g.rtts.add(e.RTT, e.RTTExact)
		}
		if heard == none {
			heard = at
		}
		if e.AfterProbes > 0 {
			c.probes = e.AfterProbes
			c.since = heard - max(0, e.SilentFor.Milliseconds())
		}
		if c.since != none {
			g.recovered(c, heard)
		}
		return // its verdict is of what was before
	case events.KindSuspended:
		if !c.suspended {
			c.suspended = true
			g.counts.Suspended++
		}
	case events.KindResumed:
		c.suspended = false
	case events.KindICMP:
		from := ""
		if e.ICMP.From.IsValid() {
			from = " from " + e.ICMP.From.String()
		}
		g.hints.add("ICMP " + e.ICMP.Text + from)
	case events.KindDropped:
		g.hints.add(string(events.AppendWords(nil, e)))
	case events.KindProbed:
		if !c.probed {
			c.probed = true
			g.counts.Probed++
		}
	case events.KindClosed:
		g.leave(c, Closed)
		return
	default: // what the verdict says is all there is to it
	}
	if e.Kind == events.KindProbe && e.SendError != "" {
		g.hints.add("probes did not leave this host: " + e.SendError)
	}
	if e.Kind != events.KindWindowProbe { // it counts others
		c.count(e)
	}
	if c.since == none && heard != none && (e.Verdict == events.VerdictSilent || e.Verdict == events.VerdictUnreachable) {
		c.since = heard
		g.fellSilent(c)
	}
}

// count takes over how many probes are unanswered.
func (c *connection) count(e *events.Event) {
	if e.Has&conn.HasUnanswered != 0 {
		c.probes = e.Unanswered
	}
}

func (g *Gatherer) fellSilent(c *connection) {
	if !c.wasSilent {
		c.wasSilent = true
		g.counts.Silent++
	}
}

// lanes are those of the connection's peer and owner, made now if they have none.
func (g *Gatherer) lanes(c *connection) (peer, owner *lane) {
	for _, p := range []*party{c.peer, c.owner} {
		if p.lane == nil {
			p.lane = g.line.lane()
		}
	}
	return c.peer.lane, c.owner.lane
}

// died takes the end of a connection with an error.
func (g *Gatherer) died(c *connection, e *events.Event, at, heard int64) {
	c.count(e)
	cause := g.death(e, at, Connection{c.State})
	c.peer.Died++
	c.owner.Died++
	if c.since == none && heard != none && cause.silent() {
		c.since = heard
	}
	if c.since != none {
		g.fellSilent(c)
		g.silence(c, at, Died, cause)
	}
	peer, owner := g.lanes(c)
	g.line.death(at, peer, owner)
	g.conns.drop(c)
}

// death counts the end of a connection, followed or not.
func (g *Gatherer) death(e *events.Event, at int64, c Connection) Cause {
	cause := CauseOf(e)
	g.counts.Died++
	g.causes[cause].n++
	if e.Verdict == events.VerdictUnreachable {
		g.causes[cause].unreachable++
	}
	if e.Errno != "" {
		g.causes[cause].errnos.add(strings.Clone(e.Errno))
	}
	if len(g.deaths) < maxDeaths {
		g.deaths = append(g.deaths, Death{timeOf(at), c, cause, string(events.AppendWords(nil, e))})
	} else {
		g.deathsMore++
	}
	return cause
}

// untold takes what is to be counted of a connection that is not followed.
func (g *Gatherer) untold(e *events.Event, at int64) {
	switch {
	case e.Kind.Ends():
		var c Connection
		c.Merge(&e.State) // copies what may be part of a buffer
		c.Host, c.Netns, c.Local, c.Remote = strings.Clone(e.Host), e.Netns, e.Local, e.Remote
		g.death(e, at, c)
		g.line.death(at)
	case e.Kind == events.KindAnswer && e.Has&events.HasRTT != 0:
		g.rtts.add(e.RTT, e.RTTExact)
	}
}

// recovered ends a silence: the peer was heard.
func (g *Gatherer) recovered(c *connection, heard int64) {
	if heard == none {
		heard = c.last
	}
	g.fellSilent(c)
	c.peer.Recovered++
	c.owner.Recovered++
	g.counts.Recovered++
	g.silence(c, heard, Recovered, 0)
}

// leave follows a connection no more, of which no end with an error was reported.
func (g *Gatherer) leave(c *connection, o Outcome) {
	if c.since != none {
		g.silence(c, c.last, o, 0)
	}
	g.watch.Forget(c.failure, timeOf(c.last).Time)
	g.conns.drop(c)
}

// silence takes one that is over.
func (g *Gatherer) silence(c *connection, until int64, o Outcome, cause Cause) {
	since, probes := c.since, c.probes
	c.since, c.probes = none, 0
	until = max(until, since)
	c.peer.Silences++
	c.owner.Silences++
	peer, owner := g.lanes(c)
	g.line.silence(since, until, peer, owner)
	made := func() Silence {
		return Silence{Connection{c.State}, timeOf(since), timeOf(until), conn.Millis(until - since), probes, o, cause, nil}
	}
	g.silences.add(until-since, made)
	if o == Recovered {
		g.recoveries.add(until-since, made)
	}
}
