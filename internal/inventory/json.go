// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"strconv"
	"time"

	"katrace/internal/conn"
)

// AppendJSON appends the socket as one object, without a newline: the keys of
// the event stream (docs/events.md), and those that only the list has. listed is
// List.Time.
func (s *Socket) AppendJSON(dst []byte, listed time.Time) []byte {
	return s.appendRest(appendHead(dst, listed))
}

// appendHead appends what all lines of a list begin with.
func appendHead(dst []byte, listed time.Time) []byte {
	return append(listed.UTC().AppendFormat(append(dst, `{"v":1,"time":"`...), "2006-01-02T15:04:05.000000000Z"), '"')
}

func (s *Socket) appendRest(dst []byte) []byte {
	dst = s.AppendKeys(dst)
	if s.Holders > 1 {
		dst = conn.AppendUint(dst, "holders", uint64(s.Holders))
	}
	dst = s.appendKeepalive(dst)
	dst = conn.AppendWord(dst, "waits_for", s.WaitsFor.String())
	if s.Stalled() {
		dst = s.AppendData(dst)
	}
	if s.Has&conn.HasUnanswered != 0 {
		dst = conn.AppendUint(dst, "unanswered", uint64(s.Unanswered))
	}
	if s.Has&conn.HasIdleFor != 0 {
		dst = conn.AppendMillis(dst, "idle_for_ms", s.IdleFor)
	}
	if next, ok := s.NextProbe(); ok {
		dst = conn.AppendMillis(dst, "next_probe_ms", next)
	}
	if s.Has&conn.HasDiesIn != 0 {
		dst = conn.AppendMillis(dst, "dies_in_ms", s.DiesIn)
	}
	return append(s.AppendArmed(dst), '}')
}

func (s *Socket) appendKeepalive(dst []byte) []byte {
	const known = HasOn | conn.HasKeepalive
	if s.Has&known == 0 {
		return dst
	}
	dst = append(dst, `,"keepalive":{`...)
	if s.Has&HasOn != 0 {
		dst = strconv.AppendBool(append(dst, `"on":`...), s.On)
	}
	if s.Has&known == known {
		dst = append(dst, ',')
	}
	if s.Has&conn.HasKeepalive != 0 {
		dst = s.Keepalive.AppendKeys(dst)
	}
	return append(dst, '}')
}
