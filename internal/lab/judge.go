// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Backend says what the events under judgement can tell. What a backend cannot
// know has to be absent from them: a guess is a disagreement.
type Backend struct {
	SendErrors    bool // why a probe did not leave
	ICMP          bool // ICMP errors, and who said them
	RST           bool // whose a RST is
	Probed        bool // empty probes that the peer sends
	ProbedByte    bool // its probes of one byte
	DropReasons   bool // why this host drops a segment, by the kernel's word
	WindowProbes  bool // window_probe events: the backend can, and --all asks for them
	TimerReasons  bool // timer events: --all
	PromptAnswers bool // an answer is told when it comes, not when the timer fires next

	// Slack is how far a time or a prediction may be off. 0: DefaultSlack.
	// Under emulation timers are late by seconds.
	Slack time.Duration
}

// Row is the judgement on one case.
type Row struct {
	Case   string
	Staged string
	Said   string // what katrace said in the end, and how many of what
	Errno  string // what the application read; "nothing"
	Kernel int    // probes by TcpExtTCPKeepAlive
	Wire   int    // probes captured
	Events int    // probe events
	Agrees bool
	Failed bool     // the staging failed, so that nothing can be judged: it does not agree either
	Why    []string // each disagreement, in words
}

// Again says why a case that does not agree is to be staged once more, in words;
// "": it agrees, or what katrace said of it is wrong. lost is what katrace
// itself reported meanwhile: what the kernel ran no program for cannot be told.
func (r Row) Again(lost events.Lost) string {
	switch {
	case r.Agrees:
		return ""
	case r.Failed:
		return "the staging failed"
	case lost.Missed > 0:
		return "a firing was hidden by this kernel"
	case lost.Skipped.Total() > 0:
		return "what came beside the firings was hidden by this kernel"
	}
	return ""
}

// Sort picks the events of each case's connection. Strays are those that happened
// in a lab's namespace and are about none of the connections: they should not be.
// (The peer, where it lives in the same namespace, may be told of as one that is
// probed, and as closed.)
func Sort(evs []events.Event, conns []Conn) (byCase map[string][]events.Event, strays []events.Event) {
	cases := map[conn.ID]string{}
	peers := map[conn.ID]bool{}
	namespaces := map[uint32]bool{}
	for _, c := range conns {
		cases[c.ID] = c.Case
		peers[conn.ID{Netns: c.Netns, Local: c.Remote, Remote: c.Local}] = true
		namespaces[c.Netns] = true
	}
	byCase = map[string][]events.Event{}
	for _, e := range evs {
		name, traced := cases[e.ID()]
		aside := peers[e.ID()] && (e.Kind == events.KindProbed || e.Kind == events.KindClosed)
		switch {
		case traced:
			byCase[name] = append(byCase[name], e)
		case namespaces[e.Netns] && !aside:
			strays = append(strays, e)
		}
	}
	return byCase, strays
}

// Judge holds what katrace said about a case's connection against what the
// application, the kernel's counter and the capture say. The events are those
// of that connection, in their order. lost is what katrace reported as lost
// meanwhile: so many probes may be missing, and all else is as if they were told.
func Judge(o Outcome, evs []events.Event, lost events.Lost, can Backend) Row {
	if can.Slack == 0 {
		can.Slack = DefaultSlack
	}
	c, ok := find(Cases(), o.Case)
	if !ok {
		return Row{Case: o.Case, Why: []string{fmt.Sprintf("no case %q", o.Case)}}
	}
	if c.Expect.Timer != events.ReasonDataInFlight {
		evs = slices.DeleteFunc(slices.Clone(evs), func(e events.Event) bool { return o.finInFlight(&e) })
	}
	r := &review{c: c, o: o, can: can, all: evs, hidden: int(min(lost.Missed, math.MaxInt32))}
	for i := range evs {
		e := &evs[i]
		r.kinds[e.Kind] = append(r.kinds[e.Kind], e)
	}
	failed := o.verify(c.Expect, c.Setting.Interval, can.Slack)
	for _, why := range failed {
		r.no("staging failed: %s", why)
	}
	r.identity()
	r.settings()
	r.probes()
	r.unanswered()
	r.answers()
	r.predictions()
	r.end()
	r.icmp()
	r.uneventful()
	r.suspended()
	r.probed()
	r.dropped()
	r.verdicts()
	if n := len(r.why) - mostWhy; n > 0 {
		r.why = append(r.why[:mostWhy:mostWhy], fmt.Sprintf("and so on, %d more", n))
	}
	return Row{
		Case: c.Name, Staged: c.Staged,
		Said:   r.said(),
		Errno:  errnoName(o.Errno),
		Kernel: int(o.KeepaliveCount),
		Wire:   len(o.Captured.Probes),
		Events: len(r.kinds[events.KindProbe]),
		Agrees: len(r.why) == 0,
		Failed: len(failed) > 0,
		Why:    r.why,
	}
}

// mostWhy is how many disagreements of a case are said: the first of hundreds is
// why there are others.
const mostWhy = 20

// review is one judgement being made.
type review struct {
	c     Case
	o     Outcome
	can   Backend
	all   []events.Event
	kinds [256][]*events.Event // by Kind
	left  []int                // by probe event: which captured probe it is; -1: it did not leave
	// hidden is how many probes may be missing; missing, how many are.
	hidden, missing int
	why             []string
}

func (r *review) no(format string, args ...any) {
	r.why = append(r.why, fmt.Sprintf(format, args...))
}

func (r *review) near(a, b time.Time) bool { return a.Sub(b).Abs() <= r.can.Slack }

// said is the last verdict and the counts.
func (r *review) said() string {
	if len(r.all) == 0 {
		return "nothing"
	}
	verdict := r.verdict().String()
	if verdict == "" {
		verdict = "no verdict"
	}
	said := fmt.Sprintf("%s: %s, %s", verdict,
		conn.Count(len(r.kinds[events.KindProbe]), "probe"), conn.Count(len(r.kinds[events.KindAnswer]), "answer"))
	for _, kind := range []events.Kind{events.KindReset, events.KindPeerReset} {
		for _, e := range r.kinds[kind] {
			said += strings.TrimSuffix(fmt.Sprintf(", %s %s", kind, e.Errno), " ")
		}
	}
	for _, e := range r.kinds[events.KindEnded] {
		said += strings.TrimSuffix(fmt.Sprintf(", ended by %s %s", e.By, e.Errno), " ")
	}
	if n := len(r.kinds[events.KindICMP]); n > 0 {
		said += fmt.Sprintf(", %d icmp", n)
	}
	for _, e := range r.kinds[events.KindDropped] {
		said += fmt.Sprintf(", dropped %s %s", e.Drop.Direction, cmp.Or(e.Drop.Reason, e.Drop.Where))
	}
	if missed := min(r.missing, r.hidden); missed > 0 {
		said += fmt.Sprintf(", %d reported as missed", missed)
	}
	return said
}

// verdict is the last one that was said.
func (r *review) verdict() (last events.Verdict) {
	for _, e := range r.all {
		if e.Verdict != 0 {
			last = e.Verdict
		}
	}
	return last
}

// identity: every event is about this connection and its owner, and they come
// in the order of their times (but for what two CPUs told at once).
func (r *review) identity() {
	for i, e := range r.all {
		if e.ID() != r.o.Conn {
			r.no("%s event about %s, not %s", e.Kind, connText(e.ID()), connText(r.o.Conn))
		}
		if e.Family != r.c.Family {
			r.no("%s event says family %q, not %q", e.Kind, e.Family, r.c.Family)
		}
		if e.Inode != 0 && e.Inode != r.o.Inode {
			r.no("%s event says inode %d, not %d", e.Kind, e.Inode, r.o.Inode)
		}
		if e.Process.PID != 0 && e.Process.PID != r.o.PID {
			r.no("%s event says process %d, not %d", e.Kind, e.Process.PID, r.o.PID)
		}
		if e.TCPState == conn.TCPSynSent && e.Has&conn.HasIdleFor != 0 {
			r.no("%s event says idle for %v, the peer was never heard", e.Kind, round(e.IdleFor))
		}
		if i > 0 && r.all[i-1].Time.Sub(e.Time) > time.Millisecond {
			r.no("%s event comes after a later %s event", e.Kind, r.all[i-1].Kind)
		}
	}
	for _, kind := range []events.Kind{events.KindProbe, events.KindReset, events.KindPeerReset, events.KindEnded} {
		for _, e := range r.kinds[kind] {
			if e.Inode == 0 {
				r.no("%s event without the inode", kind)
			}
			if kind == events.KindProbe && e.TCPState != r.c.Expect.State {
				r.no("probe event says state %q, not %q", e.TCPState, r.c.Expect.State)
			}
		}
	}
}

func connText(c conn.ID) string {
	text := func(a netip.AddrPort) string {
		if !a.IsValid() {
			return "nothing"
		}
		return a.String()
	}
	return fmt.Sprintf("%s > %s in namespace %d", text(c.Local), text(c.Remote), c.Netns)
}

// settings: those that the socket has, wherever an event tells them, and on
// every probe.
func (r *review) settings() {
	for i := range r.all {
		e := &r.all[i]
		switch {
		case e.Has&conn.HasKeepalive == 0:
			if e.Kind == events.KindProbe || e.Kind == events.KindReset {
				r.no("%s event without the settings", e.Kind)
			}
		case e.Keepalive != r.c.Setting:
			r.no("%s event says settings %+v, not %+v", e.Kind, e.Keepalive, r.c.Setting)
		}
	}
}
