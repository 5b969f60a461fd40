// SPDX-License-Identifier: BSD-2-Clause

package tui

import "katrace/internal/events"

// class is what a row is shown as: the verdict, with what the verdict leaves
// open told apart. The order is the order of the table: worst first.
type class uint8

const (
	classTimedOut         class = iota // the kernel gave up
	classForgotten                     // a RST of one that does not know the connection
	classAborted                       // the peer reset the connection
	classReset                         // a RST came; which kind is not known
	classEnded                         // with an error; by whom is not known, or the socket was destroyed
	classUnreachableEnded              // gave up, and an error on the way was seen
	classSilent                        // probes go unanswered
	classUnreachable                   // the same, and an error on the way was seen
	classCongested                     // the probe did not get out of our own queue
	classSuspended                     // data in flight: retransmission is in charge
	classAsking                        // the first probe is out, nothing is known yet
	classAlive                         // the peer answered
	classWaiting                       // keepalive is on, no probe was seen yet
	numClasses
)

// String is the word for the class: the verdict's name in the stream where
// there is one.
func (c class) String() string {
	return [numClasses]string{"timed_out", "forgotten", "aborted", "reset", "ended", "unreachable", "silent", "unreachable",
		"congested", "suspended", "asking", "alive", "waiting"}[c]
}

// ended tells whether connections of the class are over.
func (c class) ended() bool { return c <= classUnreachableEnded }

// well tells that connections of the class have no verdict but alive.
func (c class) well() bool { return c == classAlive || c == classAsking || c == classWaiting }

// failing tells whether the peer of a connection of the class does not answer.
func (c class) failing() bool { return c == classSilent || c == classUnreachable }

// class tells as what the connection is shown.
func (f *facts) class() class {
	if f.ended {
		return endClass(f.verdict, f.kind)
	}
	if cl, told := verdictClass(f.verdict); told {
		return cl
	}
	if f.Unanswered > 0 && !f.heardSince() {
		return classAsking
	}
	return classWaiting
}

// endClass is the class of a connection that has ended, by its last event.
func endClass(v events.Verdict, k events.Kind) class {
	switch {
	case v == events.VerdictUnreachable:
		return classUnreachableEnded
	case v == events.VerdictForgotten:
		return classForgotten
	case v == events.VerdictAborted:
		return classAborted
	case v == events.VerdictReset, k == events.KindPeerReset:
		return classReset
	case v == 0:
		return classEnded
	}
	return classTimedOut
}

// verdictClass is the class that a verdict brings; false: none does.
func verdictClass(v events.Verdict) (class, bool) {
	switch v {
	case events.VerdictAlive:
		return classAlive, true
	case events.VerdictSilent, events.VerdictTimedOut, events.VerdictForgotten, events.VerdictAborted, events.VerdictReset:
		return classSilent, true // an end's verdict without the end: not over yet
	case events.VerdictUnreachable:
		return classUnreachable, true
	case events.VerdictCongested:
		return classCongested, true
	case events.VerdictSuspended:
		return classSuspended, true
	}
	return classWaiting, false
}

// healthy tells whether the peer answers, and no more than the probe that goes
// out once in the idle time is on its way: nothing to worry about.
func (f *facts) healthy() bool { return f.class() == classAlive && f.Unanswered <= 1 }

// probeOut tells whether a first probe is out: it may be answered yet.
func (f *facts) probeOut() bool {
	cl := f.class()
	return f.Unanswered == 1 && (cl == classAlive || cl == classAsking)
}

// heardSince says that the peer was heard after the probes that the kernel still
// counts: it has not been silent for long enough for a probe. Data from the peer
// need not clear the count.
func (f *facts) heardSince() bool {
	return f.heard != 0 && max(f.last, f.listed)-f.heard < int64(f.Keepalive.Idle)
}

// eventSign is the sign of an event in the log: that of the verdict it brings,
// or a neutral one where it brings none.
func (t *theme) eventSign(e *events.Event) (ink, string) {
	cl, told := verdictClass(e.Verdict)
	switch {
	case e.Kind == events.KindLost:
		return t.alarm, "!"
	case e.Kind == events.KindDropped:
		cl = classUnreachable
	case e.Kind.Ends():
		cl = endClass(e.Verdict, e.Kind)
	case !told:
		return t.dim, "-"
	}
	return t.class[cl], t.glyph.class[cl]
}
