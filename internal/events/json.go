// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"iter"
	"strconv"
	"time"

	"katrace/internal/conn"
	"katrace/internal/enum"
)

// SchemaVersion is the value of the key "v".
const SchemaVersion = 1

// JSON makes the lines of the JSON stream. Its zero value is ready; it is not safe for
// concurrent use.
type JSON struct {
	last     conn.LastKeys
	settings conn.Settings // of which keepalive is
	// keepalive is a key with its value.
	keepalive []byte
	second    int64  // since 1970, of which clock is
	clock     []byte // "2006-01-02T15:04:05"
}

// Append appends what AppendJSON does, in less time where an event is of the
// connection of the one before, or of its owner, or has its settings.
func (j *JSON) Append(dst []byte, e *Event) []byte { return appendJSON(dst, e, j) }

// appendSecond appends the time without its fraction.
func (j *JSON) appendSecond(dst []byte, t time.Time) []byte {
	if s := t.Unix(); s != j.second || j.clock == nil {
		j.second, j.clock = s, appendSecond(j.clock[:0], t)
	}
	return append(dst, j.clock...)
}

// appendSettings appends the settings with their key.
func (j *JSON) appendSettings(dst []byte, s *conn.Settings) []byte {
	if *s != j.settings || j.keepalive == nil {
		j.settings, j.keepalive = *s, appendSettings(j.keepalive[:0], s)
	}
	return append(dst, j.keepalive...)
}

func appendSettings(dst []byte, s *conn.Settings) []byte {
	return append(s.AppendKeys(append(dst, `,"keepalive":{`...)), '}')
}

// eventKeys and verdictKeys are keys with their values, which most lines have.
var (
	eventKeys   = keyed("event", kindNames)
	verdictKeys = keyed("verdict", verdictNames)
)

func keyed[T ~uint8](key string, of enum.Names[T]) enum.Names[T] {
	keyed := enum.Names[T]{What: of.What, Words: make([]string, len(of.Words))}
	for i, word := range of.Words {
		keyed.Words[i] = string(conn.AppendWord(nil, key, word))
	}
	return keyed
}

// AppendJSON appends the event as one JSON object, without a newline. Its keys
// are those of docs/events.md. It is written by hand because encoding/json
// allocates for every event; a test holds it against encoding/json and the schema.
func AppendJSON(dst []byte, e *Event) []byte {
	return appendJSON(dst, e, nil)
}

// appendJSON is Append, or where j is nil AppendJSON.
func appendJSON(dst []byte, e *Event, j *JSON) []byte {
	dst = append(dst, `{"v":1,"time":"`...)
	if t := e.Time.UTC(); j != nil {
		dst = appendFraction(j.appendSecond(dst, t), t)
	} else {
		dst = appendTime(dst, t)
	}
	dst = append(dst, '"')
	dst = append(dst, eventKeys.Name(e.Kind)...) // absent: a connection as it is
	dst = conn.AppendText(dst, "host", e.Host)
	switch e.Kind {
	case KindLost:
		return append(appendLost(dst, &e.Lost, e.LeftOut), '}')
	case KindStart, KindHeartbeat, KindStop:
		return append(appendTracing(dst, e), '}')
	case KindSuppressed:
		return append(appendSuppressed(dst, e.Suppressed), '}')
	default: // of a connection
	}
	if j != nil {
		dst = j.last.AppendKeys(dst, &e.State)
	} else {
		dst = e.AppendKeys(dst)
	}
	switch {
	case e.Has&conn.HasKeepalive == 0:
	case j != nil:
		dst = j.appendSettings(dst, &e.Keepalive)
	default:
		dst = appendSettings(dst, &e.Keepalive)
	}
	dst = conn.AppendWord(dst, "waits_for", e.WaitsFor.String())
	if e.Has&conn.HasUnanswered != 0 {
		dst = conn.AppendDecimal(append(dst, `,"unanswered":`...), uint64(max(0, e.Unanswered)))
	}
	if e.Has&HasSeq != 0 {
		dst = conn.AppendDecimal(append(dst, `,"seq":`...), uint64(e.Seq))
	}
	if e.Has&conn.HasIdleFor != 0 {
		dst = conn.AppendInt(append(dst, `,"idle_for_ms":`...), e.IdleFor.Milliseconds())
	}
	if e.Has&conn.HasNext != 0 {
		dst = conn.AppendInt(append(dst, `,"next_ms":`...), e.Next.Milliseconds())
	}
	if e.Has&conn.HasDiesIn != 0 {
		dst = conn.AppendInt(append(dst, `,"dies_in_ms":`...), e.DiesIn.Milliseconds())
	}
	dst = e.AppendArmed(dst)
	dst = conn.AppendText(dst, "send_error", e.SendError)
	if e.Has&HasRTT != 0 {
		dst = conn.AppendDecimal(append(dst, `,"rtt_us":`...), uint64(e.RTT.Microseconds()))
		dst = append(dst, `,"rtt_exact":`...)
		dst = strconv.AppendBool(dst, e.RTTExact)
	}
	if e.AfterProbes > 0 {
		dst = conn.AppendUint(dst, "after_probes", uint64(e.AfterProbes))
		dst = conn.AppendMillis(dst, "silent_for_ms", e.SilentFor)
	}
	dst = conn.AppendWord(dst, "by", e.By.String())
	dst = conn.AppendWord(dst, "reason", e.Reason.String())
	dst = conn.AppendText(dst, "errno", e.Errno)
	dst = conn.AppendWord(dst, "rst", e.RST.String())
	if e.Has&conn.HasUnacked != 0 {
		dst = e.AppendData(dst)
	}
	if e.Kind == KindICMP {
		dst = appendICMP(dst, &e.ICMP)
	}
	if e.Kind == KindDropped && e.Drop.Direction != 0 {
		dst = appendDrop(dst, &e.Drop)
	}
	if e.Kind == KindSet {
		dst = appendSet(dst, e.Set)
	}
	dst = append(dst, verdictKeys.Name(e.Verdict)...)
	dst = conn.AppendWord(dst, "change", e.Change.String())
	return append(dst, '}')
}

func appendLost(dst []byte, l *Lost, leftOut uint64) []byte {
	dst = append(dst, `,"lost":{"ring":`...)
	dst = strconv.AppendUint(dst, l.Ring, 10)
	dst = append(dst, `,"missed":`...)
	dst = strconv.AppendUint(dst, l.Missed, 10)
	dst = append(dst, `,"follow":`...)
	dst = strconv.AppendUint(dst, l.Follow, 10)
	if l.Memory > 0 {
		dst = conn.AppendUint(dst, "memory", l.Memory)
	}
	if l.Tuple > 0 {
		dst = conn.AppendUint(dst, "tuple", l.Tuple)
	}
	if l.Disk > 0 {
		dst = conn.AppendUint(dst, "disk", l.Disk)
	}
	if l.Unknown > 0 {
		dst = conn.AppendUint(dst, "unknown", l.Unknown)
	}
	if l.Skipped.Total() > 0 {
		dst = append(dst, `,"skipped":{`...)
		sep := ""
		for kind, n := range skipped(&l.Skipped) {
			if *n != 0 {
				dst = append(append(append(dst, sep...), '"'), kind.String()...)
				dst = strconv.AppendUint(append(dst, `":`...), *n, 10)
				sep = ","
			}
		}
		dst = append(dst, '}')
	}
	if leftOut > 0 {
		dst = conn.AppendUint(dst, "left_out", leftOut)
	}
	return append(dst, '}')
}

// skipped pairs what was skipped with the events that it would have told.
func skipped(s *Skipped) iter.Seq2[Kind, *uint64] {
	return func(yield func(Kind, *uint64) bool) {
		_ = yield(KindPeerReset, &s.PeerReset) && yield(KindClosed, &s.Closed) && yield(KindICMP, &s.ICMP) &&
			yield(KindProbed, &s.Probed) && yield(KindEnabled, &s.Enabled) && yield(KindAnswer, &s.Answer) && yield(KindDropped, &s.Dropped)
	}
}

func appendICMP(dst []byte, i *ICMP) []byte {
	dst = append(dst, `,"icmp":{"type":`...)
	dst = strconv.AppendUint(dst, uint64(i.Type), 10)
	dst = append(dst, `,"code":`...)
	dst = strconv.AppendUint(dst, uint64(i.Code), 10)
	dst = conn.AppendText(dst, "text", i.Text)
	if i.From.IsValid() {
		dst = append(dst, `,"from":"`...)
		dst = i.From.AppendTo(dst)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func appendDrop(dst []byte, d *Drop) []byte {
	dst = append(dst, `,"drop":{"direction":"`...)
	dst = append(append(dst, d.Direction.String()...), '"')
	dst = conn.AppendText(dst, "reason", d.Reason)
	dst = conn.AppendText(dst, "text", d.Text)
	return append(conn.AppendText(dst, "where", d.Where), '}')
}
