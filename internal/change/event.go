// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"os"
	"strconv"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Event is the result as an event: who changed what.
func (r *Result) Event(at time.Time, by events.Setter, undo bool) events.Event {
	set := &events.Set{By: by, Undo: undo, Before: r.Before, After: r.After, Error: r.Reason}
	if r.Timer != nil {
		set.Rearmed, set.TimerBefore, set.TimerAfter = true, r.Timer.Was, r.Timer.Next
	}
	e := events.Event{Time: at.UTC(), Kind: events.KindSet, State: r.Socket.State, Set: set}
	e.Keepalive, e.WaitsFor, e.Has = conn.Settings{}, 0, e.Has&conn.HasUID // set has them
	return e
}

// Self is this process, as the one that changes sockets.
func Self() events.Setter {
	by := events.Setter{PID: os.Getpid(), UID: uint32(os.Getuid()), Login: events.NoLogin}
	text, err := os.ReadFile("/proc/self/loginuid") // missing without CONFIG_AUDIT
	if login, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil && bad == nil {
		by.Login = uint32(login)
	}
	return by
}
