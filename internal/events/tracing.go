// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"cmp"
	"strconv"
	"time"

	"katrace/internal/conn"
	"katrace/internal/enum"
)

// HeartbeatEvery is how often a recording has a KindHeartbeat.
const HeartbeatEvery = time.Minute

// Tracing is what a recording holds of the tracing itself, by which a quiet hour,
// a gap and a crash can be told apart: on KindStart, KindHeartbeat and KindStop.
type Tracing struct {
	// On KindStart.
	Kernel   string // its release, "6.12.107"
	Backend  string // "kprobe"
	Version  string // katrace's
	Filters  string // as they were given, "--port 5432 --dead"; "": all is wanted
	NotKnown Unknown
	// Continues: the tracing goes on; it is the recording that begins, in another file.
	Continues bool

	// On KindHeartbeat and KindStop: since the line of these kinds before.
	Asleep   time.Duration // the machine was suspended
	ClockSet time.Duration // by how much the wall clock was set, forward if positive

	// On KindHeartbeat and KindStop: since the start.
	Events  uint64 // of connections, that the filters let through
	Lost    Lost
	LeftOut uint64

	// On KindHeartbeat: connections with an event so far that have not ended, by
	// their latest verdict, also those that the filters by owner leave out.
	Connections Connections

	Exit  Exit   // on KindStop; 0: not known
	Error string // on KindStop, with ExitError
}

// Connections counts connections by their verdict; those of which nothing is
// known yet have verdict 0.
type Connections [VerdictReset + 1]uint64

// OfTracing says that the kind is about the tracing itself and of no connection.
// Such lines pass every filter.
func (k Kind) OfTracing() bool {
	return k == KindLost || k == KindStart || k == KindHeartbeat || k == KindStop || k == KindSuppressed
}

// Exit says why katrace stopped.
type Exit uint8

// The exits.
const (
	ExitSignal   Exit = iota + 1 // SIGINT, SIGTERM, SIGHUP
	ExitQuit                     // the user quit the live view
	ExitDuration                 // --duration is over
	ExitCount                    // --count is reached
	ExitError
)

var exitNames = enum.Names[Exit]{What: "exit", Words: []string{"", "signal", "quit", "duration", "count", "error"}}

// String is the name in the stream: "signal".
func (x Exit) String() string { return exitNames.Name(x) }

// ParseExit is the inverse of Exit.String.
func ParseExit(s string) (Exit, error) { return exitNames.Parse(s) }

// Unknown is a set of what a recording cannot hold: the backend does not see it on
// that kernel, or the filters leave it out.
type Unknown uint16

// What may be unknown: events, keys and counts.
const (
	UnknownSendError Unknown = 1 << iota
	UnknownICMP
	UnknownWindowProbe
	UnknownProbed
	UnknownProbedByte // probes of one byte that the peer sends
	UnknownEnabled
	UnknownRST
	UnknownExactRTT
	UnknownDropped
	UnknownDropReason
	UnknownMissed // lost.missed
	UnknownClosed // without --all
	unknownEnd
)

var unknownWords = [...]string{"send_error", "icmp", "window_probe", "probed", "probed_byte", "enabled", "rst", "rtt_exact", "dropped", "drop_reason", "missed", "closed"}

// UnknownWords lists the words of the key not_known.
func UnknownWords() []string { return unknownWords[:] }

// ParseUnknown makes a set of words; those that it does not know, of a newer
// katrace, are left out.
func ParseUnknown(words []string) (u Unknown) {
	for _, word := range words {
		for i, known := range unknownWords {
			if word == known {
				u |= 1 << i
			}
		}
	}
	return u
}

// LeftOutBy is the events that the filter wants none of, in the words of Unknown.
func LeftOutBy(f *Filter) (u Unknown) {
	for _, k := range [...]struct {
		kind Kind
		as   Unknown
	}{{KindICMP, UnknownICMP}, {KindWindowProbe, UnknownWindowProbe}, {KindProbed, UnknownProbed | UnknownProbedByte}, {KindEnabled, UnknownEnabled}, {KindDropped, UnknownDropped}, {KindClosed, UnknownClosed}} {
		if !f.Takes(k.kind) {
			u |= k.as
		}
	}
	return u
}

// appendTracing appends the keys of KindStart, KindHeartbeat and KindStop.
func appendTracing(dst []byte, e *Event) []byte {
	t := e.Tracing
	if t == nil {
		t = new(Tracing)
	}
	if e.Kind == KindStart {
		dst = conn.AppendText(dst, "kernel", t.Kernel)
		dst = conn.AppendText(dst, "backend", t.Backend)
		dst = conn.AppendText(dst, "version", t.Version)
		dst = conn.AppendText(dst, "filters", t.Filters)
		dst = append(dst, `,"not_known":[`...)
		sep := ""
		for i, word := range unknownWords {
			if t.NotKnown&(1<<i) != 0 {
				dst = append(append(append(append(dst, sep...), '"'), word...), '"')
				sep = ","
			}
		}
		dst = append(dst, ']')
		if t.Continues {
			dst = append(dst, `,"continues":true`...)
		}
		return dst
	}
	if t.Asleep > 0 {
		dst = conn.AppendMillis(dst, "asleep_ms", t.Asleep)
	}
	if t.ClockSet != 0 {
		dst = conn.AppendMillis(dst, "clock_set_ms", t.ClockSet)
	}
	dst = strconv.AppendUint(append(dst, `,"totals":{"events":`...), t.Events, 10)
	dst = append(appendLost(dst, &t.Lost, t.LeftOut), '}')
	if e.Kind == KindHeartbeat {
		dst = append(dst, `,"connections":{`...)
		sep := ""
		for v, n := range t.Connections {
			if n > 0 {
				dst = append(append(append(append(dst, sep...), '"'), connectionsKey(Verdict(v))...), `":`...)
				dst = strconv.AppendUint(dst, n, 10)
				sep = ","
			}
		}
		return append(dst, '}')
	}
	dst = conn.AppendWord(dst, "exit", t.Exit.String())
	return conn.AppendText(dst, "error", t.Error)
}

// connectionsKey is the verdict's key of "connections".
func connectionsKey(v Verdict) string {
	if v == 0 {
		return "none"
	}
	return v.String()
}

// tracingKeys are the keys of Tracing as encoding/json reads them.
type tracingKeys struct {
	Kernel   string   `json:"kernel"`
	Backend  string   `json:"backend"`
	Version  string   `json:"version"`
	Filters  string   `json:"filters"`
	NotKnown []string `json:"not_known"`

	Continues bool `json:"continues"`

	Asleep      conn.Millis       `json:"asleep_ms"`
	ClockSet    conn.Millis       `json:"clock_set_ms"`
	Connections map[string]uint64 `json:"connections"`
	Totals      struct {
		Events uint64   `json:"events"`
		Lost   lostKeys `json:"lost"`
	} `json:"totals"`
	Exit  string `json:"exit"`
	Error string `json:"error"`
}

func (l *tracingKeys) tracing(kind Kind) (*Tracing, error) {
	if kind == KindStart {
		return &Tracing{Kernel: l.Kernel, Backend: l.Backend, Version: l.Version, Filters: l.Filters, NotKnown: ParseUnknown(l.NotKnown), Continues: l.Continues}, nil
	}
	t := &Tracing{Asleep: max(0, l.Asleep.Span()), ClockSet: l.ClockSet.Span(), Events: l.Totals.Events}
	var err error
	t.Lost, t.LeftOut, err = l.Totals.Lost.read()
	if kind == KindHeartbeat {
		for v := range t.Connections {
			t.Connections[v] = l.Connections[connectionsKey(Verdict(v))]
		}
		return t, err
	}
	t.Error = l.Error
	return t, cmp.Or(err, conn.ParseWord(l.Exit, &t.Exit, ParseExit))
}

// appendTracingWords says a line about the tracing in words.
func appendTracingWords(dst []byte, e *Event) []byte {
	t := e.Tracing
	if t == nil {
		t = new(Tracing)
	}
	switch e.Kind {
	case KindStart:
		dst = append(dst, "katrace "...)
		if t.Continues {
			dst = append(dst, "goes on in another file"...)
		} else {
			dst = append(dst, "began"...)
		}
		for _, part := range [...]struct{ before, text string }{{" on ", e.Host}, {", Linux ", t.Kernel}, {", by ", t.Backend}, {", version ", t.Version}, {", filters: ", t.Filters}} {
			if part.text != "" {
				dst = conn.AppendSafe(append(dst, part.before...), part.text)
			}
		}
		return dst
	case KindHeartbeat:
		dst = append(dst, "katrace is running"...)
	default:
		dst = append(dst, "katrace stopped"...)
		if word := exitWords[min(int(t.Exit), len(exitWords)-1)]; word != "" {
			dst = append(append(dst, ": "...), word...)
		}
		if t.Error != "" {
			dst = conn.AppendSafe(append(dst, ": "...), t.Error)
		}
	}
	dst = append(conn.AppendCount(append(dst, "; "...), t.Events, "event"), " so far, "...)
	if t.Lost.Total() == 0 && t.LeftOut == 0 {
		dst = append(dst, "nothing lost"...)
	} else {
		dst = appendLostWords(dst, &t.Lost, t.LeftOut)
	}
	if t.Asleep > 0 {
		dst = conn.AppendSpan(append(dst, "; the machine was suspended for "...), t.Asleep)
	}
	if t.ClockSet != 0 {
		way := "; the wall clock was set forward by "
		if t.ClockSet < 0 {
			way = "; the wall clock was set back by "
		}
		dst = conn.AppendSpan(append(dst, way...), t.ClockSet.Abs())
	}
	return dst
}

var exitWords = [...]string{
	ExitSignal:   "a signal ended it",
	ExitQuit:     "the user quit",
	ExitDuration: "--duration is over",
	ExitCount:    "--count is reached",
	ExitError:    "an error ended it",
}
