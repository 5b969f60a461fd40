// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"slices"
	"strings"
	"time"

	"katrace/internal/events"
)

// Silence is how long a recording with heartbeats may be without a line: one may
// be late.
const Silence = 2 * events.HeartbeatEvery

// Why says why a host was not recorded for a while.
type Why uint8

// The reasons.
const (
	WhyStalled Why = iota // katrace could not run or not write
	WhyAsleep             // the machine was suspended
	WhyStopped            // katrace had been stopped
	WhyCut                // the recording was cut off (killed, crashed), and begun again later
	WhyOutside            // before the recording's first line, or after its last
)

// Bounds of what is kept, whatever a recording holds.
const (
	maxHosts = 1024 // that are told apart
	maxGaps  = 1000 // of a host
)

// Gap is a time in which a host was not recorded.
type Gap struct {
	From, To time.Time // of the lines around it
	Why      Why
}

// Host is what is known of the recording of one host.
type Host struct {
	Name        string // "": no line says it
	First, Last time.Time
	// Marked: it has the lines by which gaps show (start, heartbeat, stop). In
	// recordings without them nothing can be told from silence.
	Marked bool
	Gaps   []Gap
	// More counts the gaps beyond maxGaps. The last of Gaps reaches over them.
	More int
	// Stopped: the latest line says that katrace stopped; else the recording is cut
	// off, or still being written.
	Stopped bool
	Exit    events.Exit    // with Stopped
	Start   events.Tracing // the latest start
	Began   bool           // there is one: it is known what the recording cannot hold

	beat int // the gaps that are older than the latest start or heartbeat
}

// Coverage says when which hosts were recorded. Its zero value is ready.
type Coverage struct {
	hosts map[string]*Host
	more  bool // there are more hosts than maxHosts
	ended bool // all recordings are read to their ends
}

// Add takes the next event. What katrace set wrote into a recording is no sign of
// life: it does not trace. host is of lines that name none.
func (c *Coverage) Add(e *events.Event, host string) { c.add(e, host, false) }

// add is Add. beside: another tracing of that host goes on, so a start ends none.
func (c *Coverage) add(e *events.Event, host string, beside bool) {
	if e.Kind == events.KindSet {
		return
	}
	if e.Host != "" {
		host = e.Host
	}
	h := c.hosts[host]
	if h == nil {
		if len(c.hosts) == maxHosts {
			c.more = true
			return
		}
		if c.hosts == nil {
			c.hosts = map[string]*Host{}
		}
		h = &Host{Name: strings.Clone(host), First: e.Time}
		c.hosts[h.Name] = h
	}
	h.add(e, beside)
}

func (h *Host) add(e *events.Event, beside bool) {
	quiet := e.Time.Sub(h.Last)
	begins := e.Kind == events.KindStart && !e.Tracing.Continues && !beside
	switch {
	case h.Last.IsZero():
	case quiet <= 0: // the clock was set back meanwhile, or the files are in another order: nobody knows for how long
	case begins && h.Stopped:
		h.gap(e.Time, WhyStopped)
	case begins && h.Marked:
		h.gap(e.Time, WhyCut)
	case quiet > Silence && h.Marked:
		h.gap(e.Time, WhyStalled)
	}
	switch e.Kind {
	case events.KindStart:
		h.Marked, h.Began, h.Stopped, h.Start = true, true, false, *e.Tracing
		h.beat = len(h.Gaps)
	case events.KindHeartbeat, events.KindStop:
		h.Marked = true
		h.explain(e.Tracing)
		if h.Stopped = e.Kind == events.KindStop; h.Stopped {
			h.Exit = e.Tracing.Exit
		}
	default: // a sign of life, as they are
	}
	if e.Time.After(h.Last) || e.Kind == events.KindStart {
		h.Last = e.Time
	}
	if h.Last.Before(h.First) {
		h.First = h.Last
	}
}

// gap keeps one that ends then.
func (h *Host) gap(to time.Time, why Why) {
	if n := len(h.Gaps); n == maxGaps {
		h.Gaps[n-1].To = to
		h.More++
		return
	}
	h.Gaps = append(h.Gaps, Gap{h.Last, to, why})
}

// explain says of the gaps since the heartbeat before what made them. A wall clock
// that was set forward makes none.
func (h *Host) explain(t *events.Tracing) {
	asleep, set := t.Asleep, t.ClockSet
	h.Gaps = append(h.Gaps[:h.beat], slices.DeleteFunc(slices.Clone(h.Gaps[h.beat:]), func(g Gap) bool {
		return set > 0 && g.To.Sub(g.From)-set <= Silence
	})...)
	for i := h.beat; i < len(h.Gaps); i++ {
		if g := &h.Gaps[i]; asleep > 0 && g.To.Sub(g.From)-asleep <= Silence {
			g.Why = WhyAsleep
		}
	}
	h.beat = len(h.Gaps)
}

// Finish is for when no more comes.
func (c *Coverage) Finish() { c.ended = true }

// Hosts lists the hosts by their names.
func (c *Coverage) Hosts() (all []*Host) {
	for _, h := range c.hosts {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *Host) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Full says that there were more hosts than are kept.
func (c *Coverage) Full() bool { return c.more }

// Host is the host of that name; nil: there is none, or no room for it.
func (c *Coverage) Host(name string) *Host { return c.hosts[name] }

// Recorded says whether the host was being recorded at that time, and if not why.
// known is false where that cannot be told: its recording has no heartbeats, or
// there was no room for the host.
func (c *Coverage) Recorded(host string, at time.Time) (why Why, recorded, known bool) {
	h := c.hosts[host]
	if h == nil && c.more {
		return 0, true, false
	}
	if h == nil || at.Before(h.First) {
		return WhyOutside, false, true
	}
	if !h.Marked {
		return 0, true, false
	}
	last := h.Last
	if !h.Stopped && !c.ended { // the next heartbeat is yet to come
		last = last.Add(Silence)
	}
	if at.After(last) {
		return WhyOutside, false, true
	}
	for _, g := range h.Gaps {
		if at.After(g.From) && at.Before(g.To) {
			return g.Why, false, true
		}
	}
	return 0, true, true
}
