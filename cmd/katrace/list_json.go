// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"net/netip"
	"strconv"
	"time"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// writeListJSON writes one object a socket, with the keys of the event stream
// (docs/events.md) and those that only the list has.
func writeListJSON(w *bufio.Writer, l *inventory.List, sockets []*inventory.Socket) error {
	var line []byte
	now := l.Time.UTC().Format("2006-01-02T15:04:05.000000000Z")
	for _, s := range sockets {
		line = appendSocketJSON(line[:0], s, now)
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func appendSocketJSON(b []byte, s *inventory.Socket, now string) []byte {
	b = append(b, `{"v":1,"time":"`...)
	b = append(append(b, now...), '"')
	b = appendNumber(b, "netns", uint64(s.Netns), s.Netns != 0)
	b = appendNumber(b, "inode", s.Inode, s.Inode != 0)
	b = appendText(b, "family", s.Family.String())
	b = appendText(b, "state", s.State.String())
	b = appendAddrPort(b, "local", s.Local)
	if s.Remote.Port() != 0 {
		b = appendAddrPort(b, "remote", s.Remote)
	}
	if s.Process.PID != 0 {
		b = strconv.AppendInt(append(b, `,"process":{"pid":`...), int64(s.Process.PID), 10)
		b = append(appendText(b, "comm", s.Process.Comm), '}')
		b = appendNumber(b, "holders", uint64(s.Holders), s.Holders > 1)
	}
	b = appendText(b, "held_by", s.HeldBy.String())
	b = appendText(b, "module", s.Module)
	b = appendNumber(b, "uid", uint64(s.UID), s.Has&inventory.HasUID != 0)
	b = appendText(b, "cgroup", s.Cgroup)
	b = appendText(b, "container", s.Container)
	b = appendText(b, "pod", s.Pod)
	b = appendKeepalive(b, s)
	b = appendText(b, "waits_for", s.WaitsFor.String())
	b = appendNumber(b, "unanswered", uint64(s.Unanswered), s.Has&inventory.HasUnanswered != 0)
	b = appendTime(b, "idle_for_ms", s.IdleFor, s.Has&inventory.HasIdleFor != 0)
	b = appendTime(b, "next_probe_ms", s.NextProbe, s.Has&inventory.HasNextProbe != 0)
	b = appendTime(b, "dies_in_ms", s.DiesIn, s.Has&inventory.HasDiesIn != 0)
	if s.ArmedBeforeChange {
		b = append(b, `,"armed_before_change":true`...)
	}
	return append(b, '}')
}

func appendKeepalive(b []byte, s *inventory.Socket) []byte {
	if s.Has&(inventory.HasOn|inventory.HasSettings) == 0 {
		return b
	}
	b = append(b, `,"keepalive":{`...)
	from := len(b)
	if s.Has&inventory.HasOn != 0 {
		b = strconv.AppendBool(append(b, `,"on":`...), s.On)
	}
	if s.Has&inventory.HasSettings != 0 {
		b = appendTime(b, "idle_ms", s.Settings.Idle, true)
		b = appendTime(b, "intvl_ms", s.Settings.Interval, true)
		b = appendNumber(b, "cnt", uint64(s.Settings.Count), true)
		b = appendTime(b, "user_timeout_ms", s.Settings.UserTimeout, true)
		if s.SourcesKnown() {
			b = appendSettingNames(b, "inherited", s.Settings.Inherited)
		} else {
			b = appendSettingNames(b, "set", s.Own) // certainly the socket's own, the others may be
		}
	}
	b = append(b[:from], b[from+1:]...) // the first comma
	return append(b, '}')
}

func appendSettingNames(b []byte, key string, set events.Setting) []byte {
	b = append(append(append(b, `,"`...), key...), `":[`...)
	sep := ""
	for one := events.SettingIdle; one <= events.SettingCount; one <<= 1 {
		if set&one != 0 {
			b = append(append(append(append(b, sep...), '"'), one.Name()...), '"')
			sep = ","
		}
	}
	return append(b, ']')
}

func appendListKey(b []byte, key string) []byte {
	return append(append(append(b, `,"`...), key...), `":`...)
}

func appendNumber(b []byte, key string, n uint64, have bool) []byte {
	if !have {
		return b
	}
	return strconv.AppendUint(appendListKey(b, key), n, 10)
}

func appendTime(b []byte, key string, d time.Duration, have bool) []byte {
	if !have {
		return b
	}
	return strconv.AppendInt(appendListKey(b, key), d.Milliseconds(), 10)
}

func appendAddrPort(b []byte, key string, a netip.AddrPort) []byte {
	b = append(appendListKey(b, key), `{"addr":"`...)
	b = append(a.Addr().AppendTo(b), `","port":`...)
	return append(strconv.AppendUint(b, uint64(a.Port()), 10), '}')
}

// appendText appends a string, if it is not empty.
func appendText(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return events.AppendString(appendListKey(b, key), s)
}
