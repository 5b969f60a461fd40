// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"strconv"
	"time"

	"katrace/internal/conn"
)

// Set is what katrace set did to a socket: on KindSet.
type Set struct {
	By            Setter
	Undo          bool        // it put old values back (--undo)
	Before, After conn.Values // After as it was read back
	// Rearmed: a timer that ran too long was armed anew. It would have fired after
	// TimerBefore, and fires after TimerAfter.
	Rearmed                 bool
	TimerBefore, TimerAfter time.Duration
	Error                   string // why not all was set that was to be; "": all was
}

// Setter is the process that did it.
type Setter struct {
	PID   int    // 0: not known
	UID   uint32 // its real user
	Login uint32 // the user that logged in (/proc/PID/loginuid); NoLogin: none did
}

// NoLogin is the login uid of a process that nobody started who logged in
// (AUDIT_UID_UNSET in include/linux/audit.h).
const NoLogin = 1<<32 - 1

// setKeys are the keys of Set as encoding/json reads them.
type setKeys struct {
	By struct {
		PID   int     `json:"pid"`
		UID   uint32  `json:"uid"`
		Login *uint32 `json:"login_uid"`
	} `json:"by"`
	Undo        bool            `json:"undo"`
	Before      *conn.ValueKeys `json:"before"`
	After       *conn.ValueKeys `json:"after"`
	TimerBefore *conn.Millis    `json:"timer_before_ms"`
	TimerAfter  conn.Millis     `json:"timer_after_ms"`
	Error       string          `json:"error"`
}

func (k *setKeys) read() *Set {
	s := &Set{By: Setter{Login: NoLogin}}
	if k == nil {
		return s
	}
	s.By.PID, s.By.UID, s.Undo, s.Error = max(0, k.By.PID), k.By.UID, k.Undo, k.Error
	if k.By.Login != nil {
		s.By.Login = *k.By.Login
	}
	s.Before, s.After = k.Before.Values(), k.After.Values()
	if k.TimerBefore != nil {
		s.Rearmed, s.TimerBefore, s.TimerAfter = true, k.TimerBefore.Span(), k.TimerAfter.Span()
	}
	return s
}

func appendSet(dst []byte, s *Set) []byte {
	if s == nil {
		s = &Set{By: Setter{Login: NoLogin}}
	}
	dst = append(dst, `,"set":{"by":{"uid":`...)
	dst = strconv.AppendUint(dst, uint64(s.By.UID), 10)
	if s.By.Login != NoLogin {
		dst = conn.AppendUint(dst, "login_uid", uint64(s.By.Login))
	}
	if s.By.PID != 0 {
		dst = conn.AppendUint(dst, "pid", uint64(s.By.PID))
	}
	dst = append(dst, '}')
	if s.Undo {
		dst = append(dst, `,"undo":true`...)
	}
	if s.Before.Known != 0 {
		dst = s.Before.AppendKeys(append(dst, `,"before":`...))
	}
	if s.After.Known != 0 {
		dst = s.After.AppendKeys(append(dst, `,"after":`...))
	}
	if s.Rearmed {
		dst = conn.AppendMillis(dst, "timer_before_ms", s.TimerBefore)
		dst = conn.AppendMillis(dst, "timer_after_ms", s.TimerAfter)
	}
	return append(conn.AppendText(dst, "error", s.Error), '}')
}

// AppendText appends who it is: "uid 0 (logged in as uid 1000)".
func (s Setter) AppendText(dst []byte) []byte {
	dst = strconv.AppendUint(append(dst, "uid "...), uint64(s.UID), 10)
	if s.Login != NoLogin && s.Login != s.UID {
		dst = append(strconv.AppendUint(append(dst, " (logged in as uid "...), uint64(s.Login), 10), ')')
	}
	return dst
}

func appendSetWords(dst []byte, s *Set) []byte {
	if s == nil {
		s = &Set{By: Setter{Login: NoLogin}}
	}
	dst = append(dst, "katrace set"...)
	if s.Undo {
		dst = append(dst, " --undo"...)
	}
	dst = s.By.AppendText(append(dst, " by "...))
	if s.Before != s.After {
		dst = s.After.AppendText(append(s.Before.AppendText(append(dst, ": "...)), " -> "...))
	}
	if s.Rearmed {
		dst = conn.AppendSpan(append(dst, ": the timer fires in "...), s.TimerAfter)
		dst = conn.AppendSpan(append(dst, ", not in "...), s.TimerBefore)
	}
	if s.Error != "" {
		dst = conn.AppendSafe(append(dst, "; failed: "...), s.Error)
	}
	return dst
}
