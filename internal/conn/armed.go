// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"time"

	"katrace/internal/jiffies"
)

// Rearm is what arms a timer by the settings in force.
const Rearm = "TCP_KEEPIDLE is set on the socket, or SO_KEEPALIVE switched off and on, as katrace set --rearm does"

// Overlong says that the keepalive timer, armed and of a socket that sends
// probes, runs longer than the settings in force would set it. A timer that is
// armed keeps its time when net.ipv4.tcp_keepalive_time or _intvl change, or
// TCP_KEEPINTVL is set; and SO_KEEPALIVE arms it for all of TCP_KEEPIDLE, however
// long the connection has been idle by then (tcp_set_keepalive).
//
// The peer was last heard idleFor ago, and the timer fires in expires. After a
// probe, one that left since the peer was heard, the kernel arms it for Interval;
// else so that it fires when the peer has been silent for Idle
// (tcp_keepalive_timer, TCP_KEEPIDLE in do_tcp_setsockopt). So the peer's silence
// by then is at most the longer of the two: an answer comes after its probe, and
// data leaves the timer alone. A difference below the timer's own slack, or a
// second, is none: settings are whole seconds, and programs switch keepalive on a
// little after the handshake.
func (s Settings) Overlong(probeOut bool, idleFor, expires time.Duration, hz jiffies.HZ) bool {
	longer := func(d, set time.Duration) bool { return d > set+max(hz.Slack(set), time.Second) }
	switch {
	case !longer(expires, RetryCongested): // perhaps of a probe that the local queue refused
		return false
	case probeOut:
		return longer(expires, s.Interval)
	}
	return longer(idleFor+expires, s.Period())
}

// Silence is the longest time without any segment that is to be expected of an
// idle connection whose peer answers: by its settings, or until the timer fires
// that was armed before they changed. probeOut is that of Settings.Overlong.
func (t *Timer) Silence(s Settings, probeOut bool) time.Duration {
	silence := s.Period()
	switch {
	case !t.ArmedBeforeChange:
	case probeOut:
		silence = max(silence, t.Next) // at the least: since the last probe
	default:
		silence = max(silence, t.IdleFor+t.Next)
	}
	return silence
}
