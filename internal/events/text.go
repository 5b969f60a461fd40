// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"strconv"
	"unicode/utf8"

	"katrace/internal/conn"
)

// The widths of the text stream's columns; what is longer pushes the rest.
const (
	widthKind  = 12
	widthTuple = 45
	widthOwner = 18
	widestHost = 24 // at most
)

// Text makes the lines of the text stream. Its zero value is ready; it is not
// safe for concurrent use. The owners' column is wider from the first container
// on, and the hosts' is there from the first host on: where there is none, its
// lines stay as narrow as they can be.
type Text struct {
	containers bool
	hosts      int // the width of their column
}

// AppendText is Text.Append for a single line.
func AppendText(dst []byte, e *Event) []byte { return new(Text).Append(dst, e) }

// Append appends the event as one line, without a newline: time, event, host, local >
// remote, owner with what people call the container, what happened in words. Strings
// from outside are made safe for a terminal.
func (t *Text) Append(dst []byte, e *Event) []byte {
	at := e.Time.UTC()
	dst = append(appendSecond(dst, at), '.')
	dst = append(conn.AppendDigits(dst, uint64(at.Nanosecond()/1e6), 3), "Z  "...)
	from := len(dst)
	dst = pad(append(dst, e.Kind.String()...), from, widthKind)
	if e.Kind != KindStart { // its words name the host
		t.hosts = max(t.hosts, min(utf8.RuneCountInString(e.Host), widestHost))
	}
	if t.hosts > 0 {
		from = len(dst)
		dst = pad(conn.AppendSafe(dst, e.Host), from, t.hosts)
	}
	if !e.Kind.OfTracing() {
		from = len(dst)
		dst = e.Local.AppendTo(dst)
		dst = append(dst, " > "...)
		dst = e.Remote.AppendTo(dst)
		dst = pad(dst, from, widthTuple)
		from = len(dst)
		dst = e.AppendOwner(dst)
		width := widthOwner
		if e.Container != "" || e.PodName != "" {
			t.containers = true
			dst = e.AppendContainer(append(dst, ' '))
		}
		if t.containers {
			width += 1 + conn.ShortID
		}
		dst = pad(dst, from, width)
	}
	return AppendWords(dst, e)
}

// pad fills the column that begins at from, and adds the gap after it.
func pad(dst []byte, from, width int) []byte {
	for n := utf8.RuneCount(dst[from:]); n < width; n++ {
		dst = append(dst, ' ')
	}
	return append(dst, ' ')
}

// AppendWords appends what happened, in words.
func AppendWords(dst []byte, e *Event) []byte {
	switch e.Kind {
	case KindProbe:
		return appendProbeWords(dst, e)
	case KindAnswer:
		dst = append(dst, "peer answered"...)
		if e.AfterProbes > 0 {
			dst = conn.AppendCount(append(dst, " again, after "...), uint64(e.AfterProbes), "unanswered probe")
			dst = append(conn.AppendSpan(append(dst, " and "...), e.SilentFor), " of silence"...)
		}
		if e.Has&HasRTT != 0 {
			dst = appendRTT(append(dst, ", round trip "...), e)
		}
		return appendNext(dst, e)
	case KindReset:
		return appendResetWords(dst, e)
	case KindPeerReset:
		return appendReads(append(dst, rstWords[min(int(e.RST), len(rstWords)-1)]...), e)
	case KindICMP:
		dst = append(dst, "ICMP "...)
		dst = conn.AppendSafe(dst, e.ICMP.Text)
		if e.ICMP.From.IsValid() {
			dst = e.ICMP.From.AppendTo(append(dst, " from "...))
		}
		return dst
	case KindDropped:
		return appendDropWords(dst, &e.Drop)
	case KindProbed:
		return append(dst, "peer sent a keepalive probe, this side answers"...)
	case KindEnabled:
		dst = append(dst, "SO_KEEPALIVE on: idle "...)
		dst = conn.AppendSetting(dst, e.Keepalive.Idle)
		dst = conn.AppendSetting(append(dst, ", interval "...), e.Keepalive.Interval)
		dst = strconv.AppendInt(append(dst, ", count "...), int64(e.Keepalive.Count), 10)
		if e.ArmedBeforeChange { // the idle time counts from now
			dst = conn.AppendSpan(append(dst, "; idle for "...), e.IdleFor)
			dst = conn.AppendSpan(append(dst, " already, the timer fires in "...), e.Next)
		}
		return dst
	case KindWindowProbe:
		dst = append(dst, "zero-window probe: the peer's receive window is closed, "...)
		dst = strconv.AppendInt(dst, int64(e.Unanswered), 10)
		return append(dst, " unanswered"...)
	case KindTimer:
		dst = append(dst, "no probe: "...)
		words := reasonWords[0]
		if int(e.Reason) < len(reasonWords) {
			words = reasonWords[e.Reason]
		}
		return appendNext(append(dst, words...), e)
	case KindClosed:
		return append(dst, "closed, not by keepalive"...)
	case KindSet:
		return appendSetWords(dst, e.Set)
	case KindSuspended:
		return appendSuspendedWords(dst, e)
	case KindResumed:
		return append(dst, resumedWords[min(int(e.WaitsFor), len(resumedWords)-1)]...)
	case KindEnded:
		return appendEndedWords(dst, e)
	case KindSuppressed:
		return appendSuppressedWords(dst, e.Suppressed)
	case KindLost:
		return appendLostWords(dst, &e.Lost, e.LeftOut)
	case KindStart, KindHeartbeat, KindStop:
		return appendTracingWords(dst, e)
	}
	return dst
}

var rstWords = [...]string{
	0:                    "RST while a probe was out: the peer does not know the connection, or reset it",
	RSTUnknownConnection: "peer answered the probe with RST: it no longer knows the connection",
	RSTAbort:             "peer reset the connection while a probe was out: it knew the connection (RST with ACK)",
	RSTThisHost:          "this host's own firewall refused the probe and reset the connection",
}

var reasonWords = [...]string{
	0:                  "the reason is not known",
	ReasonSocketBusy:   "a process holds the socket, the timer tries again",
	ReasonFinWait2:     "orphan in FIN_WAIT2, the timer is not keepalive's",
	ReasonKeepaliveOff: "SO_KEEPALIVE is off",
	ReasonClosed:       "the socket is closed or not yet connected",
	ReasonDataInFlight: "data in flight or unsent, retransmission is in charge",
	ReasonNotIdle:      "not idle long enough",
}

func appendProbeWords(dst []byte, e *Event) []byte {
	dst = append(dst, "probe "...)
	switch {
	case e.SendError == Congested:
		dst = append(dst, "refused by the local queue, not counted"...)
		return appendNext(dst, e)
	case e.Has&conn.HasUnanswered == 0:
		dst = dst[:len(dst)-1] // which one is not known
	case e.Keepalive.UserTimeout != 0:
		// The count does not decide then.
		dst = strconv.AppendInt(dst, int64(e.Unanswered), 10)
	default:
		dst = strconv.AppendInt(dst, int64(e.Unanswered), 10)
		dst = append(dst, '/')
		dst = strconv.AppendInt(dst, int64(e.Keepalive.Count), 10)
	}
	switch {
	case e.SendError != "":
		dst = append(dst, " did not leave: "...)
		dst = conn.AppendSafe(dst, e.SendError)
	case e.Unanswered > 1:
		dst = append(dst, " unanswered"...)
	default:
		dst = append(dst, " sent"...)
	}
	dst = conn.AppendSpan(append(dst, ", idle "...), e.IdleFor)
	if e.Has&conn.HasDiesIn != 0 {
		dst = conn.AppendSpan(append(dst, ", gives up in "...), e.DiesIn)
	}
	if e.Keepalive.UserTimeout != 0 {
		dst = conn.AppendSetting(append(dst, " (TCP_USER_TIMEOUT "...), e.Keepalive.UserTimeout)
		dst = append(dst, ')')
	}
	return dst
}

func appendResetWords(dst []byte, e *Event) []byte {
	dst = append(dst, "gave up after "...)
	dst = conn.AppendSpan(dst, e.IdleFor)
	dst = append(dst, " of silence, "...)
	if e.Has&conn.HasUnanswered != 0 {
		dst = append(conn.AppendCount(dst, uint64(e.Unanswered), "probe"), " unanswered"...)
	} else {
		dst = append(dst, "an unknown number of probes unanswered"...)
	}
	if e.Reason == ReasonUserTimeout {
		dst = conn.AppendSetting(append(dst, ": TCP_USER_TIMEOUT "...), e.Keepalive.UserTimeout)
		dst = append(dst, " decides, not TCP_KEEPCNT "...)
		dst = strconv.AppendInt(dst, int64(e.Keepalive.Count), 10)
	}
	return appendReads(dst, e)
}

func appendReads(dst []byte, e *Event) []byte {
	if e.Errno == "" {
		return dst
	}
	return conn.AppendSafe(append(dst, "; the application reads "...), e.Errno)
}

func appendNext(dst []byte, e *Event) []byte {
	if e.Has&conn.HasNext == 0 {
		return dst
	}
	return conn.AppendSpan(append(dst, ", timer fires in "...), e.Next)
}

// appendRTT says a round trip that is known to a jiffy only as a bound.
func appendRTT(dst []byte, e *Event) []byte {
	if e.RTTExact {
		return conn.AppendSpan(dst, e.RTT)
	}
	if e.RTT == 0 {
		return append(dst, "below a jiffy"...)
	}
	return conn.AppendSpan(append(dst, "about "...), e.RTT)
}

func appendLostWords(dst []byte, l *Lost, leftOut uint64) []byte {
	if leftOut > 0 {
		dst = strconv.AppendUint(dst, leftOut, 10)
		dst = append(dst, " left out: what the filter asks of their owner was not known"...)
		if l.Total() == 0 {
			return dst
		}
		dst = append(dst, "; "...)
	}
	dst = strconv.AppendUint(dst, l.Total(), 10)
	dst = append(dst, " lost:"...)
	sep := " "
	for _, c := range [...]struct {
		n          uint64
		noun, what string
	}{
		{l.Ring, "record", ", the ring buffer was full (try a larger --ring-size)"},
		{l.Missed, "firing", " of the timer for which the kernel ran no program"},
		{l.Follow, "record", " of connections for which the table was full (try a larger --follow-size)"},
		{l.Memory, "record", " of connections for which the kernel had no memory at once"},
		{l.Tuple, "connection", " that ICMP errors and drops cannot be matched to"},
		{l.Disk, "line", " that could not be written to the log file"},
		{l.Unknown, "thing", " of a kind that this version does not know"},
	} {
		if c.n == 0 {
			continue
		}
		dst = append(conn.AppendCount(append(dst, sep...), c.n, c.noun), c.what...)
		sep = ", "
	}
	if n := l.Skipped.Total(); n > 0 {
		dst = conn.AppendCount(append(dst, sep...), n, "other")
		dst = append(dst, " on this host for which the kernel ran no program:"...)
		sep = " "
		for kind, n := range skipped(&l.Skipped) {
			if *n > 0 {
				dst = strconv.AppendUint(append(dst, sep...), *n, 10)
				dst = append(append(dst, ' '), kind.String()...)
				sep = ", "
			}
		}
	}
	return dst
}
