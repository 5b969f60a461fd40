// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"iter"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// SchemaVersion is the value of the key "v".
const SchemaVersion = 1

// AppendJSON appends the event as one JSON object, without a newline. Its keys
// are those of docs/events.md. It is written by hand because encoding/json
// allocates for every event; a test holds it against encoding/json and the schema.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"v":1,"time":"`...)
	dst = appendTime(dst, e.Time)
	dst = append(dst, '"')
	dst = appendWord(dst, "event", e.Kind.String()) // absent: a connection as it is
	if e.Kind == KindLost {
		return append(appendLost(dst, e), '}')
	}
	if e.Netns != 0 {
		dst = appendUint(dst, "netns", uint64(e.Netns))
	}
	if e.Inode != 0 {
		dst = appendUint(dst, "inode", e.Inode)
	}
	dst = appendWord(dst, "family", e.Family.String())
	dst = appendWord(dst, "state", e.State.String())
	dst = appendAddr(dst, "local", e.Local)
	dst = appendAddr(dst, "remote", e.Remote)
	dst = appendOwner(dst, e)
	if e.Has&HasKeepalive != 0 {
		dst = appendSettings(dst, &e.Keepalive)
	}
	if e.Has&HasUnanswered != 0 {
		dst = appendUint(dst, "unanswered", uint64(max(0, e.Unanswered)))
	}
	if e.Has&HasSeq != 0 {
		dst = appendUint(dst, "seq", uint64(e.Seq))
	}
	if e.Has&HasIdleFor != 0 {
		dst = appendMillis(dst, "idle_for_ms", e.IdleFor)
	}
	if e.Has&HasNext != 0 {
		dst = appendMillis(dst, "next_ms", e.Next)
	}
	if e.Has&HasDiesIn != 0 {
		dst = appendMillis(dst, "dies_in_ms", e.DiesIn)
	}
	dst = appendText(dst, "send_error", e.SendError)
	if e.Has&HasRTT != 0 {
		dst = appendUint(dst, "rtt_us", uint64(e.RTT.Microseconds()))
		dst = append(dst, `,"rtt_exact":`...)
		dst = strconv.AppendBool(dst, e.RTTExact)
	}
	dst = appendWord(dst, "waits_for", e.WaitsFor.String())
	dst = appendWord(dst, "by", e.By.String())
	dst = appendWord(dst, "reason", e.Reason.String())
	dst = appendText(dst, "errno", e.Errno)
	dst = appendWord(dst, "rst", e.RST.String())
	if e.Has&HasUnacked != 0 {
		dst = appendUint(dst, "retransmits", uint64(max(0, e.Retransmits)))
		dst = appendUint(dst, "unacked_bytes", uint64(e.Unacked))
	}
	if e.Kind == KindICMP {
		dst = appendICMP(dst, &e.ICMP)
	}
	dst = appendWord(dst, "verdict", e.Verdict.String())
	return append(dst, '}')
}

func appendLost(dst []byte, e *Event) []byte {
	l := &e.Lost
	dst = append(dst, `,"lost":{"ring":`...)
	dst = strconv.AppendUint(dst, l.Ring, 10)
	dst = append(dst, `,"missed":`...)
	dst = strconv.AppendUint(dst, l.Missed, 10)
	dst = append(dst, `,"follow":`...)
	dst = strconv.AppendUint(dst, l.Follow, 10)
	if l.Memory > 0 {
		dst = appendUint(dst, "memory", l.Memory)
	}
	if l.Tuple > 0 {
		dst = appendUint(dst, "tuple", l.Tuple)
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
	if e.LeftOut > 0 {
		dst = appendUint(dst, "left_out", e.LeftOut)
	}
	return append(dst, '}')
}

// skipped pairs what was skipped with the events that it would have told.
func skipped(s *Skipped) iter.Seq2[Kind, *uint64] {
	return func(yield func(Kind, *uint64) bool) {
		_ = yield(KindPeerReset, &s.PeerReset) && yield(KindClosed, &s.Closed) && yield(KindICMP, &s.ICMP) &&
			yield(KindProbed, &s.Probed) && yield(KindEnabled, &s.Enabled) && yield(KindAnswer, &s.Answer)
	}
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendUint(dst []byte, key string, n uint64) []byte {
	return strconv.AppendUint(appendKey(dst, key), n, 10)
}

func appendMillis(dst []byte, key string, d time.Duration) []byte {
	return strconv.AppendInt(appendKey(dst, key), d.Milliseconds(), 10)
}

// appendWord appends a word of our own, which needs no escaping; none if empty.
func appendWord(dst []byte, key, word string) []byte {
	if word == "" {
		return dst
	}
	dst = append(appendKey(dst, key), '"')
	dst = append(dst, word...)
	return append(dst, '"')
}

func appendAddr(dst []byte, key string, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return dst
	}
	dst = append(appendKey(dst, key), `{"addr":"`...)
	dst = a.Addr().AppendTo(dst)
	dst = append(dst, `","port":`...)
	dst = strconv.AppendUint(dst, uint64(a.Port()), 10)
	return append(dst, '}')
}

func appendOwner(dst []byte, e *Event) []byte {
	if e.Process.PID != 0 {
		dst = append(dst, `,"process":{"pid":`...)
		dst = strconv.AppendInt(dst, int64(e.Process.PID), 10)
		dst = append(appendText(dst, "comm", e.Process.Comm), '}')
	}
	dst = appendWord(dst, "held_by", e.HeldBy.String())
	dst = appendText(dst, "module", e.Module)
	if e.Has&HasUID != 0 {
		dst = appendUint(dst, "uid", uint64(e.UID))
	}
	dst = appendText(dst, "cgroup", e.Cgroup)
	dst = appendText(dst, "container", e.Container)
	return appendText(dst, "pod", e.Pod)
}

func appendSettings(dst []byte, s *Settings) []byte {
	dst = append(dst, `,"keepalive":{"idle_ms":`...)
	dst = strconv.AppendInt(dst, s.Idle.Milliseconds(), 10)
	dst = append(dst, `,"intvl_ms":`...)
	dst = strconv.AppendInt(dst, s.Interval.Milliseconds(), 10)
	dst = append(dst, `,"cnt":`...)
	dst = strconv.AppendInt(dst, int64(s.Count), 10)
	dst = append(dst, `,"user_timeout_ms":`...)
	dst = strconv.AppendInt(dst, s.UserTimeout.Milliseconds(), 10)
	if s.Unsure != 0 {
		return append(dst, '}')
	}
	dst = append(dst, `,"inherited":[`...)
	first := true
	for set := SettingIdle; set <= SettingCount; set <<= 1 {
		if s.Inherited&set == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, set.Name()...)
		dst = append(dst, '"')
	}
	return append(dst, `]}`...)
}

func appendICMP(dst []byte, i *ICMP) []byte {
	dst = append(dst, `,"icmp":{"type":`...)
	dst = strconv.AppendUint(dst, uint64(i.Type), 10)
	dst = append(dst, `,"code":`...)
	dst = strconv.AppendUint(dst, uint64(i.Code), 10)
	dst = appendText(dst, "text", i.Text)
	if i.From.IsValid() {
		dst = append(dst, `,"from":"`...)
		dst = i.From.AppendTo(dst)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// appendText appends a string from outside, a recording included; none if empty.
func appendText(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	return AppendString(appendKey(dst, key), text)
}

// AppendString appends a string from outside as JSON: valid UTF-8 whatever it
// holds, and with all escaped that a terminal would act on or not show.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // where what is not yet appended begins
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && unicode.IsPrint(r) && !(r == utf8.RuneError && n == 1) {
			i += n
			continue
		}
		dst = append(dst, s[plain:i]...)
		i += n
		plain = i
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendEscaped(appendEscaped(dst, high), low)
		default:
			dst = appendEscaped(dst, r)
		}
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
